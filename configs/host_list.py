"""Settings that list hosts, or origins of web pages, separated by commas. A wrong entry stops the process."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from configs import trusted_hosts
from configs.host import HostPattern, Origin


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(host.strip().lower() for host in value.split(",") if host.strip())


def _trusted(hosts: tuple[str, ...]) -> tuple[str, ...]:
    trusted_hosts.parse(hosts)
    return hosts


def _patterns(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        HostPattern(host)
    return hosts


def _origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(Origin.parse(origin).text for origin in origins)


# NoDecode: pydantic-settings would parse the variable as JSON.
TrustedHosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_trusted)]
HostPatterns = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_patterns)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_origins)]

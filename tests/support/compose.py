"""docker-compose.yml as Compose reads it: merged, and with variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parents[2] / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(?::(?P<kind>[-?])(?P<rest>[^${}]*))?\}")


def read(dotenv: Mapping[str, str]) -> dict[str, Any]:
    """Read the file as if .env had these variables. Raises KeyError for a required variable that is missing."""
    document: dict[str, Any] = _filled_in(yaml.safe_load(FILE.read_text()), dotenv)
    return document


def environment_of(service: Mapping[str, Any], dotenv: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service's container: `environment` overrides `env_file`."""
    from_file = dotenv if {"path": ".env", "required": False} in service.get("env_file", []) else {}
    return {**from_file, **service.get("environment", {})}


def seconds(duration: str) -> float:
    """Return the seconds of a duration in Go's format; its parts add up: "50s10s" is a minute."""
    parts = re.findall(r"([\d.]+)([ms])", duration)
    assert "".join(map("".join, parts)) == duration, duration
    return sum(float(number) * {"m": 60, "s": 1}[unit] for number, unit in parts)


def _filled_in(value: Any, dotenv: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled_in(part, dotenv) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled_in(part, dotenv) for part in value]
    while isinstance(value, str) and (found := VARIABLE.search(value)):  # the innermost variable first
        value = value[: found.start()] + _value(found, dotenv) + value[found.end() :]
    return value


def _value(found: re.Match[str], dotenv: Mapping[str, str]) -> str:
    given = dotenv.get(found["name"], "")
    if not given and found["kind"] == "?":
        raise KeyError(found["name"])
    return given or (found["rest"] or "" if found["kind"] == "-" else "")

"""The address of Redis or Valkey. We parse it, because redis-py and Celery's kombu read a URL in different ways."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator

DEFAULT_PORT = 6379
LONGEST_SOCKET_PATH_BYTES = 107  # unix(7): sun_path has 108 bytes, the last one is zero

_NUMBER = re.compile(r"[0-9]{1,9}")
_SCHEMES = "redis://host:port/db, rediss://host:port/db (TLS) or unix:///path?db=0"
_ESCAPE = "write @ : / ? # % of a name or password as %40 %3A %2F %3F %23 %25"


@dataclass(frozen=True)
class RedisAddress:
    """A server, with our user name and password. For a unix socket, `path` is set and `host` is empty."""

    host: str
    port: int
    path: str
    database: int
    has_tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse(url: str) -> RedisAddress:
    """Parse the URL of a Redis server.

    Raises ValueError. Its message is one line and repeats only the scheme of the URL, because the rest may be secret.
    """
    scheme, found, rest = url.partition("://")
    if not found or scheme not in ("redis", "rediss", "unix"):
        named = f"{scheme}:// is" if found and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", scheme) else "this is"
        raise ValueError(f"{named} not supported; allowed are {_SCHEMES}")
    if not rest.isprintable() or " " in rest:
        raise ValueError("it contains a space or a control character")
    try:
        parts = urlsplit(url)
    except ValueError:  # its message may contain a part of a password
        raise ValueError(f"its host cannot be parsed; {_ESCAPE}") from None
    if "#" in url:
        raise ValueError(f"it contains a #; {_ESCAPE}")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if scheme == "unix":
        path = _socket_path(parts)
        return RedisAddress("", 0, path, _database(parts.query, ""), False, username, password)
    host, port = _host_and_port(parts)
    database = _database(parts.query, parts.path.strip("/"))
    return RedisAddress(host, port, "", database, scheme == "rediss", username, password)


def _socket_path(parts: SplitResult) -> str:
    path = unquote(parts.path)
    if parts.netloc.rpartition("@")[2] or path in ("", "/"):
        raise ValueError("it names no socket; write its absolute path after three slashes: unix:///path?db=0")
    if len(path.encode()) > LONGEST_SOCKET_PATH_BYTES:
        raise ValueError(f"the path of a socket has at most {LONGEST_SOCKET_PATH_BYTES} bytes; this one is longer")
    return path


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    try:
        port = parts.port
    except ValueError:  # its message may contain a part of a password
        raise ValueError(f"its port is not a number from 1 to 65535; {_ESCAPE}") from None
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("its port is not a number from 1 to 65535")
    if not parts.hostname:
        raise ValueError(f"it names no host; allowed are {_SCHEMES}")
    return unquote(parts.hostname), port or DEFAULT_PORT


def _database(query: str, path: str) -> int:
    """Return the number of the database from the query or the path; 0 if neither names one."""
    named = [path] if path else []
    for parameter in query.split("&") if query else ():
        name, _, value = parameter.partition("=")
        if re.fullmatch(r"ssl_[a-z_]{1,40}", name):
            raise ValueError(
                f"{name} is not allowed in it: rediss:// always verifies the server; set certificates with "
                "OVSEG_REDIS_CA_FILE, OVSEG_REDIS_CERT_FILE and OVSEG_REDIS_KEY_FILE"
            )
        if name != "db":
            raise ValueError(f"only db=NUMBER is allowed after its ?; {_ESCAPE}")
        named.append(value)
    if any(not _NUMBER.fullmatch(number) for number in named):
        raise ValueError(f"its database is not a number; {_ESCAPE}")
    if len(numbers := {int(number) for number in named}) > 1:
        raise ValueError("it names two databases")
    return numbers.pop() if numbers else 0


def _checked(url: str) -> str:
    parse(url)
    return url


RedisUrl = Annotated[str, AfterValidator(_checked)]

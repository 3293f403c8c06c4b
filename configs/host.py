"""A host in a request or a setting: a name or an address, with or without a port."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]*[a-z0-9_-])\.?(?::([0-9]{0,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Host:
    """A host. `name` is in lower case and ends without a dot; an IPv6 address is in short form, without brackets."""

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Parse `name`, `address` or `[IPv6 address]`, each with or without `:port`. Raises ValueError."""
        found = _HOST.fullmatch(text.lower())
        if not found:
            raise ValueError(f"{text!r} is not a host; write name, name:port or [IPv6 address]:port")
        name, port = found.groups()
        if name.startswith("["):
            name = str(ipaddress.IPv6Address(name[1:-1]))
        if port and int(port) > 65535:
            raise ValueError(f"{text!r} has a port above 65535")
        return cls(name, int(port) if port else None)


@dataclass(frozen=True)
class Origin:
    """The origin of a web page (RFC 6454): its scheme, http or https, and its host with a port."""

    scheme: str
    host: Host

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Parse an Origin header. Raises ValueError, also for `null`."""
        scheme, _, rest = text.partition("://")
        if scheme not in _PORTS:
            raise ValueError(f"{text!r} is not an origin with http or https")
        host = Host.parse(rest)
        return cls(scheme, Host(host.name, _PORTS[scheme] if host.port is None else host.port))

    @property
    def text(self) -> str:
        """The origin as a browser sends it: without the usual port of the scheme."""
        name = f"[{self.host.name}]" if ":" in self.host.name else self.host.name
        return f"{self.scheme}://{name}" + ("" if self.host.port == _PORTS[self.scheme] else f":{self.host.port}")

    def is_of(self, host: Host) -> bool:
        """True if a request to `host` goes to the server that the page came from.

        A host without a port gets the port of the origin's scheme, not of the request's scheme: behind a proxy that
        terminates TLS, the request arrives as http.
        """
        return self.host == Host(host.name, _PORTS[self.scheme] if host.port is None else host.port)


@dataclass(frozen=True)
class HostPattern:
    """A host that a setting allows: `name`, or `.name` with all names below it, with or without a port; or `*`."""

    text: str

    def __post_init__(self) -> None:
        if self.text != "*":
            _ = self._host  # raises ValueError

    def matches(self, host: Host) -> bool:
        """True if the pattern allows the host. A pattern without a port allows every port."""
        if self.text == "*":
            return True
        allowed = self._host
        is_below = self.text.startswith(".") and host.name.endswith(f".{allowed.name}")
        return (host.name == allowed.name or is_below) and allowed.port in (None, host.port)

    @cached_property
    def _host(self) -> Host:
        is_ipv6 = self.text.count(":") > 1 and not self.text.startswith("[")
        return Host.parse(f"[{self.text}]" if is_ipv6 else self.text.removeprefix("."))


def is_loopback(address: str) -> bool:
    """True if a server that listens on this address or name can be reached only from this machine."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower() == "localhost"

"""A host as requests and settings name it: a name or an address, and perhaps a port."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]*[a-z0-9_-])\.?(?::([0-9]{0,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Host:
    """`name` is in lower case, without a dot at its end; an IPv6 address in its short form, without brackets."""

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Host:
        """From `name`, `name:port`, `address:port` or `[IPv6 address]:port`. Raises ValueError."""
        found = _HOST.fullmatch(text.lower())
        if not found:
            raise ValueError(f"{text!r} is no host; write name, name:port or [IPv6 address]:port")
        name, port = found.groups()
        if name.startswith("["):
            name = str(ipaddress.IPv6Address(name[1:-1]))
        if port and int(port) > 65535:
            raise ValueError(f"{text!r} has a port above 65535")
        return cls(name, int(port) if port else None)


@dataclass(frozen=True)
class Origin:
    """Where a web page comes from (RFC 6454): `scheme`, http or https, and the host with its port."""

    scheme: str
    host: Host

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Raises ValueError, for `null` too."""
        scheme, _, rest = text.partition("://")
        if scheme not in _PORTS:
            raise ValueError(f"{text!r} is no origin of http or https")
        host = Host.parse(rest)
        return cls(scheme, Host(host.name, _PORTS[scheme] if host.port is None else host.port))

    def is_of(self, host: Host) -> bool:
        """Whether a request to `host` goes back to where its page came from.

        A host without a port has the one of the origin's scheme: behind a proxy that ends TLS, the scheme of the
        request itself is another.
        """
        return self.host == Host(host.name, _PORTS[self.scheme] if host.port is None else host.port)


@dataclass(frozen=True)
class HostPattern:
    """A host that a setting allows: `name`, `.name` with all names below it, either with a port, or `*`."""

    text: str

    def __post_init__(self) -> None:
        if self.text != "*":
            Host.parse(self._bare)  # raises ValueError

    def matches(self, host: Host) -> bool:
        """Without a port it allows any."""
        if self.text == "*":
            return True
        allowed = Host.parse(self._bare)
        is_below = self.text.startswith(".") and host.name.endswith(f".{allowed.name}")
        return (host.name == allowed.name or is_below) and allowed.port in (None, host.port)

    @property
    def _bare(self) -> str:
        is_ipv6 = self.text.count(":") > 1 and not self.text.startswith("[")
        return f"[{self.text}]" if is_ipv6 else self.text.removeprefix(".")


def is_loopback(address: str) -> bool:
    """Whether a server that listens on this address, or name, is reached only from this machine."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address.lower() == "localhost"

"""The private hosts that OVSEG_ALLOWED_PRIVATE_HOSTS allows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORMS = "a host (minio), a domain (.internal.example), an address (10.0.0.5, ::1) or a network (10.0.0.0/8)"
_ENTRY = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
# A host whose last label is a number is an address in an old notation (127.1, 010.0.0.1). The host of a URL is compared
# as an address, so such an entry would match nothing.
_NAME = re.compile(r"\.?([a-z0-9_-]+\.)*(?![0-9]+$|0x[0-9a-f]*$)[a-z0-9_-]+")


@dataclass(frozen=True)
class TrustedHost:
    """One entry: a name, all names below `.suffix`, or a network. Without a port, it allows every port."""

    name: str | None
    network: Network | None
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> TrustedHost:
        """Parse an entry. Raises ValueError, which lists what is allowed."""
        given = entry.strip().lower()
        found = _ENTRY.fullmatch(f"[{given}]" if given.count(":") > 1 and "[" not in given else given)
        host = (found["bracketed"] or found["plain"]).removesuffix(".") if found else ""
        port = int(found["port"]) if found and found["port"] else None
        network = _network(host)
        name = host.removeprefix("*") if network is None else None
        if (name is not None and not _NAME.fullmatch(name)) or port == 0 or (port or 0) > 65535:
            raise ValueError(f"{entry!r} is none of these: {FORMS}; each may end with a port (minio:9000, [::1]:9000)")
        return cls(name, network, port)

    def has(self, host: str | Address, port: int) -> bool:
        """True if the entry allows this port of the host: a name in lower case, or an address."""
        if self.port not in (None, port):
            return False
        if isinstance(host, str):
            return host == self.name or (self.name is not None and self.name[0] == "." and host.endswith(self.name))
        return self.network is not None and host in self.network


def is_trusted(host: str | Address, port: int, entries: Sequence[str]) -> bool:
    """True if one of the entries allows this port of the host: a name in lower case, or an address."""
    return any(trusted.has(host, port) for trusted in parse(tuple(entries)))


@lru_cache(maxsize=8)
def parse(entries: tuple[str, ...]) -> tuple[TrustedHost, ...]:
    """Parse all entries. Raises ValueError for a wrong entry."""
    return tuple(TrustedHost.parse(entry) for entry in entries)


def _network(text: str) -> Network | None:
    try:
        return None if "%" in text else ipaddress.ip_network(text, strict=False)  # a URL may not name a zone
    except ValueError:
        return None

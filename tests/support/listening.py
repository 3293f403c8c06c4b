"""The sockets that a process and its descendants listen on, from the kernel's tables."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from pathlib import Path

LISTENING_TCP = "0A"
ACCEPTS_CONNECTIONS = 0x10000  # flag of a unix socket that listens


@dataclass(frozen=True)
class Sockets:
    """TCP and UDP sockets as (address, port), unix sockets by path. A path that begins with @ is abstract."""

    tcp: frozenset[tuple[str, int]]
    udp: frozenset[tuple[str, int]]
    unix: frozenset[str]


def family(pid: int) -> set[int]:
    """Return the process, its children, and all their descendants."""
    parents = {}
    for folder in Path("/proc").iterdir():
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):  # not a process, or one that has exited
            continue
    members = {pid}
    while more := {child for child, parent in parents.items() if parent in members} - members:
        members |= more
    return members


def open_files(pids: set[int]) -> set[str]:
    """Return the targets of the processes' file descriptors, in /proc's notation."""
    found = set()
    for pid in pids:
        try:
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                found.add(str(descriptor.readlink()))
            except OSError:
                continue
    return found


def sockets(pids: set[int]) -> Sockets:
    inodes = {name[8:-1] for name in open_files(pids) if name.startswith("socket:[")}
    tcp, udp = set(), set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[9] not in inodes:
                continue
            if table.startswith("udp"):
                udp.add(_address(fields[1]))
            elif fields[3] == LISTENING_TCP:
                tcp.add(_address(fields[1]))
    unix = set()
    for row in Path("/proc/net/unix").read_text().splitlines()[1:]:
        number, _, _, flags, _, _, inode, *path = re.split(r"\s+", row.strip(), maxsplit=7)
        assert number
        if inode in inodes and int(flags, 16) & ACCEPTS_CONNECTIONS:
            unix.add(path[0] if path else "@")
    return Sockets(frozenset(tcp), frozenset(udp), frozenset(unix))


def _address(field: str) -> tuple[str, int]:
    """Parse an address: `0100007F:1F90` is 127.0.0.1, port 8080 (words of four bytes in the machine's order)."""
    host, _, port = field.partition(":")
    words = bytes.fromhex(host)
    packed = b"".join(socket.htonl(int.from_bytes(words[i : i + 4])).to_bytes(4) for i in range(0, len(words), 4))
    return str(ipaddress.ip_address(packed)), int(port, 16)

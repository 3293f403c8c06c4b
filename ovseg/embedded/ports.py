"""Ports for SeaweedFS.

They are chosen once and kept, because a presigned URL is valid only for the port that it names.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Collection
from pathlib import Path

# SeaweedFS's gRPC ports are its HTTP ports plus 10,000. Both must be below 32768, the first port that the kernel gives
# to outgoing connections.
LOWEST, HIGHEST = 15_000, 22_000
GRPC_OFFSET = 10_000

LISTENING = "0A"  # in /proc/net/tcp, of proc(5)


def choose(names: tuple[str, ...]) -> dict[str, int]:
    """Return a free port for each name, whose gRPC port is free too. Raises OSError if there are too few."""
    chosen: dict[str, int] = {}
    candidates = random.SystemRandom().sample(range(LOWEST, HIGHEST), 2000)
    for port in candidates:
        if len(chosen) == len(names):
            return chosen
        if is_free(port) and is_free(port + GRPC_OFFSET):
            chosen[names[len(chosen)]] = port
    raise OSError(f"no {len(names)} free ports between {LOWEST} and {HIGHEST}")


def are_free(ports: dict[str, int]) -> bool:
    return all(is_free(port) and is_free(port + GRPC_OFFSET) for port in ports.values())


def is_free(port: int) -> bool:
    """True if no process listens on the port, and no other user's SeaweedFS has left a socket file for it."""
    if any(_owner(file) not in (None, os.getuid()) for file in socket_files(port)):
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _owner(file: Path) -> int | None:
    """Return the id of the user who owns the file (or the link itself), or None if it no longer exists."""
    try:
        return file.lstat().st_uid
    except FileNotFoundError:
        return None


def taken_by_others(wanted: Collection[int]) -> dict[int, int]:
    """Return the ports on which another user's process listens, with that user's id. Only Linux reports any."""
    taken = {}
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        rows = table.read_text().splitlines()[1:] if table.exists() else []
        for _, local, _, state, _, _, _, owner, *_ in map(str.split, rows):
            port = int(local.rpartition(":")[2], 16)
            if state == LISTENING and port in wanted and int(owner) != os.getuid():
                taken[port] = int(owner)
    return taken


def socket_files(port: int) -> list[Path]:
    """Return the socket files that a killed SeaweedFS leaves for a port, at a path that cannot be configured."""
    return list(Path("/tmp").glob(f"seaweedfs-*-{port}.sock"))  # noqa: S108

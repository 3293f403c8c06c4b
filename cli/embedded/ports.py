"""Ports for SeaweedFS, chosen once and kept: a presigned URL is bound to the port it names."""

from __future__ import annotations

import random
import socket
from pathlib import Path

# SeaweedFS puts each gRPC port 10,000 above its HTTP port, and both must lie below 32768, where the kernel begins to
# hand out ports to outgoing connections.
LOWEST, HIGHEST = 15_000, 22_000
GRPC_OFFSET = 10_000


def choose(names: tuple[str, ...]) -> dict[str, int]:
    """A free port for each name, with its gRPC companion free too."""
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
    """Nobody listens on the port, and no socket file of another user's SeaweedFS is in the way."""
    if any(Path("/tmp").glob(f"seaweedfs-*-{port}.sock")):  # noqa: S108  SeaweedFS's own choice
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

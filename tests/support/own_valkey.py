"""A Valkey for one test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.settings import Settings
from ovseg.child import Child
from ovseg.embedded import valkey
from tests.support.waiting import wait_until
from worker.store.keyspace import Keyspace


@contextmanager
def running(folder: Path, megabytes: int = 2000) -> Iterator[str]:
    """Run a Valkey that uses at most `megabytes` of memory. Yields its URL."""
    server = Child(valkey.command(folder, megabytes), lambda label, line: None)
    try:
        wait_until(lambda: valkey.is_ready(folder))
        yield valkey.url(folder)
    finally:
        server.ask_to_end()
        server.end_by(time.monotonic() + 10)


@contextmanager
def out_of_memory(settings: Settings) -> Iterator[None]:
    """Make Redis refuse every command that may need memory, while the block runs."""
    with Keyspace.open(settings) as keyspace:
        maximum = keyspace.redis.config_get("maxmemory")["maxmemory"]
        keyspace.redis.config_set("maxmemory", 1)
        try:
            yield
        finally:
            keyspace.redis.config_set("maxmemory", maximum)

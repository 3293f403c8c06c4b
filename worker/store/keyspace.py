"""Redis as a service uses it: keys under its prefix, Lua scripts, Redis's own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.client import NEVER_DECODE, Pipeline
from redis.commands.core import Script

from configs.settings import Settings
from worker.store.clock import MICROSECONDS
from worker.store.connection import connect

LUA = files("worker.store") / "lua"


class Keyspace:
    """The keys that begin with one service's prefix, so that others may share the server. Thread-safe.

    `redis` answers in str. Whatever goes wrong is raised as redis-py raises it (RedisError).
    """

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.redis = redis
        self.prefix = prefix

    @classmethod
    def open(cls, settings: Settings) -> Keyspace:
        """Connections are made as needed; leaving a `with` block closes them."""
        return cls(connect(settings), settings.redis_prefix)

    def __enter__(self) -> Keyspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.redis.close()

    def key(self, name: str) -> str:
        """The whole key of what the scripts and their prelude call `name`."""
        return self.prefix + name

    def run(self, script: str, *args: str | bytes | float) -> Any:
        """Call a script by its file's name: `run("begin", job_id, worker, lease)`.

        redis-py sends a script's SHA-1 and, if the server does not know it (after a restart, say), the script itself.
        """
        return self._scripts[script](keys=[self.prefix], args=args)

    @cached_property
    def _scripts(self) -> Mapping[str, Script]:
        return {name: self.redis.register_script(source) for name, source in _sources().items()}

    def now(self) -> int:
        """Redis's time, by which the scripts go, in microseconds since 1970."""
        seconds, microseconds = self.redis.time()
        return int(seconds) * MICROSECONDS + int(microseconds)

    def pipeline(self) -> Pipeline:
        """Commands that are sent together, and not as a transaction: other clients' may come between them."""
        return self.redis.pipeline(transaction=False)

    def get_bytes(self, name: str) -> bytes | None:
        """A value that is no text; None if there is none."""
        value: bytes | None = self.redis.execute_command("GET", self.key(name), **{NEVER_DECODE: True})
        return value

    def first(self, index: str, until: float, limit: int) -> list[tuple[str, float]]:
        """Up to `limit` members of a sorted set whose score is at most `until`, lowest first, with their scores."""
        rows: list[tuple[str, float]] = self.redis.zrange(
            self.key(index), "-inf", until, byscore=True, offset=0, num=limit, withscores=True
        )
        return rows

    def page(self, index: str, limit: int, before: str | None) -> tuple[list[tuple[str, str]], bool]:
        """Up to `limit` members of a sorted set, highest score first, and whether there are more.

        Each has its cursor beside it: as `before`, it leads to those that follow that member.
        """
        rows = self.redis.zrange(
            self.key(index),
            f"({before}" if before else "+inf",
            "-inf",
            desc=True,
            byscore=True,
            offset=0,
            num=limit + 1,
            withscores=True,
        )
        return [(member, str(int(score))) for member, score in rows[:limit]], len(rows) > limit


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """Field, value, field, value, ... as a script returns them."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def flat(record: Mapping[str, str]) -> list[str]:
    """Field, value, field, value, ... as a script takes them."""
    return [part for pair in record.items() for part in pair]


@cache
def _sources() -> Mapping[str, str]:
    """Every script by its file's name, with the prelude before it; read once per process."""
    prelude = (LUA / "prelude.lua").read_text()
    return {
        file.name.removesuffix(".lua"): _with(prelude, file.read_text())
        for file in LUA.iterdir()
        if file.name.endswith(".lua") and file.name != "prelude.lua"
    }


def _with(prelude: str, script: str) -> str:
    """The prelude before the script, but after its flags (Redis 7.0: the first line, `#!lua flags=...`)."""
    if not script.startswith("#!"):
        return prelude + script
    flags, _, rest = script.partition("\n")
    return f"{flags}\n{prelude}{rest}"

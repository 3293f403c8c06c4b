"""Redis as one service uses it: keys under the service's prefix, Lua scripts, Redis's own clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from redis import Redis
from redis.client import NEVER_DECODE, Pipeline
from redis.commands.core import Script

from configs.settings import Settings
from worker.store import scripts
from worker.store.clock import MICROSECONDS
from worker.store.connection import connect


class Keyspace:
    """The keys that begin with one service's prefix, so that several services can share a server. Thread-safe.

    `redis` returns str. Every method raises redis-py's RedisError if Redis is unreachable or refuses a command.
    """

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.redis = redis
        self.prefix = prefix

    @classmethod
    def open(cls, settings: Settings) -> Keyspace:
        """Return a keyspace that opens connections as needed and closes them at the end of a `with` block."""
        return cls(connect(settings), settings.redis_prefix)

    def __enter__(self) -> Keyspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.redis.close()

    def key(self, name: str) -> str:
        """Return the full key of `name`, which is how the scripts and the list in prelude/keys.lua name the key."""
        return self.prefix + name

    def run(self, script: str, *args: str | bytes | float) -> Any:
        """Call a script by its file's name: `run("begin", job_id, worker, lease)`.

        redis-py sends the script's SHA-1 and, if the server does not have that script (after a restart, for example),
        the script itself.
        """
        return self._scripts[script](keys=[self.prefix], args=args)

    @cached_property
    def _scripts(self) -> Mapping[str, Script]:
        return {name: self.redis.register_script(source) for name, source in scripts.sources().items()}

    def now(self) -> int:
        """Return Redis's time, which the scripts use too, in microseconds since 1970."""
        seconds, microseconds = self.redis.time()
        return int(seconds) * MICROSECONDS + int(microseconds)

    def pipeline(self) -> Pipeline:
        """Return a pipeline. It sends its commands together, but other clients' commands may run between them."""
        return self.redis.pipeline(transaction=False)

    def get_bytes(self, name: str) -> bytes | None:
        """Return a value as bytes; None if the key does not exist."""
        value: bytes | None = self.redis.execute_command("GET", self.key(name), **{NEVER_DECODE: True})
        return value

    def first(self, index: str, until: float, limit: int) -> list[tuple[str, float]]:
        """Return up to `limit` members of a sorted set with a score up to `until`, lowest first, with their scores."""
        rows: list[tuple[str, float]] = self.redis.zrange(
            self.key(index), "-inf", until, byscore=True, offset=0, num=limit, withscores=True
        )
        return rows

    def page(
        self, index: str, limit: int, before: str | None, since: str | None = None
    ) -> tuple[list[tuple[str, str]], bool]:
        """Return up to `limit` members of a sorted set, highest score first, and whether there are more.

        Each member comes with its cursor, which is its score. Pass that cursor as `before` to get the members that
        follow. `since` is the lowest score.
        """
        rows = self.redis.zrange(
            self.key(index),
            f"({before}" if before else "+inf",
            "-inf" if since is None else since,
            desc=True,
            byscore=True,
            offset=0,
            num=limit + 1,
            withscores=True,
        )
        return [(member, str(int(score))) for member, score in rows[:limit]], len(rows) > limit


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """Return a record from the row of fields and values (field, value, field, value, ...) that a script returns."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def flat(record: Mapping[str, str]) -> list[str]:
    """Return a record as the row of fields and values (field, value, field, value, ...) that a script takes."""
    return [part for pair in record.items() for part in pair]

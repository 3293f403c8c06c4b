"""The Lua scripts, each with the prelude before it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from redis import Redis

LUA = files("worker.store") / "lua"


class Scripts:
    """Calls a script by its file's name: `scripts("begin", job_id, worker, lease)`.

    redis-py sends a script's SHA-1 and, if the server does not know it (after a restart, say), the script itself.
    """

    def __init__(self, redis: Redis, prefix: str) -> None:
        prelude = (LUA / "prelude.lua").read_text()
        self._prefix = prefix
        self._scripts = {
            file.name.removesuffix(".lua"): redis.register_script(_with(prelude, file.read_text()))
            for file in LUA.iterdir()
            if file.name.endswith(".lua") and file.name != "prelude.lua"
        }

    def __call__(self, name: str, *args: str | bytes | float) -> Any:
        return self._scripts[name](keys=[self._prefix], args=args)


def _with(prelude: str, script: str) -> str:
    """The prelude before the script, but after its flags (Redis 7.0: the first line, `#!lua flags=...`)."""
    if not script.startswith("#!"):
        return prelude + script
    flags, _, rest = script.partition("\n")
    return f"{flags}\n{prelude}{rest}"

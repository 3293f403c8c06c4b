"""Limits how many bytes of request bodies are worked on at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turnstile:
    """Admits requests while their bodies together have at most `size` bytes; first come, first served."""

    def __init__(self, size: int, free_of_charge: int) -> None:
        """A body of up to `free_of_charge` bytes passes immediately and is not counted."""
        self._free = size
        self._free_of_charge = free_of_charge
        self._queue = asyncio.Lock()
        self._given_back = asyncio.Event()

    @asynccontextmanager
    async def passed(self, count: int) -> AsyncIterator[None]:
        """Wait until a body of `count` bytes is admitted; it is counted until the context ends."""
        if count <= self._free_of_charge:
            yield
            return
        async with self._queue:
            while self._free < count:
                self._given_back.clear()
                await self._given_back.wait()
            self._free -= count
        try:
            yield
        finally:
            self._free += count
            self._given_back.set()

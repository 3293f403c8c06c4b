"""An event loop in a thread, in which a sync program runs what exists only for asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, Self, TypeVar

R = TypeVar("R")


class LoopThread:
    """Runs while the block runs. A program that ends within the block does not wait for the thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ovseg-client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """Return the result of a coroutine. It is canceled if this thread is interrupted, as by Ctrl-C."""
        running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def iterate(self, stream: AsyncGenerator[R, None]) -> Generator[R, None, None]:
        """Yield what an async generator yields, and close it at the end."""
        lock = asyncio.Lock()  # a canceled step may still run when the generator is closed

        async def advance() -> R | None:
            async with lock:
                return await anext(stream, None)

        async def close() -> None:
            async with lock:
                await stream.aclose()

        try:
            while (step := self.run(advance())) is not None:
                yield step
        finally:
            self.run(close())

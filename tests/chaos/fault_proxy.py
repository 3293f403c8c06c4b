"""A TCP proxy on loopback that delays, cuts and swallows what it should forward.

toxiproxy does this and more, but no package index has a binary of this server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

DELAY_SECONDS = 0.2
CHUNK_BYTES = 64 * 1024


class Fault(Enum):
    NONE = "forward everything"
    DELAY = "forward everything, later"
    CUT = "reset every connection, and each new one"
    HOLE = "swallow everything"
    DEAF = "forward what is asked, swallow what is answered"


class FaultProxy:
    """Forwards to the connection that `connect` opens. `fault` can change at any time."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._fault = Fault.NONE
        self._open: set[asyncio.StreamWriter] = set()
        self._tainted: set[asyncio.StreamWriter] = set()  # writers of connections that have lost bytes
        self._loop = asyncio.new_event_loop()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = int(server.sockets[0].getsockname()[1])
        self._server = server
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()

    def inflict(self, fault: Fault) -> None:
        """Apply a fault from now on. A connection that has lost bytes is closed before the next fault."""
        self._loop.call_soon_threadsafe(self._inflict, fault)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _inflict(self, fault: Fault) -> None:
        self._fault = fault
        for writer in self._open if fault is Fault.CUT else self._tainted:
            writer.transport.abort()
        self._tainted = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.CUT:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._connect()
        except OSError:  # the server was killed and has not been restarted
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        try:
            await asyncio.gather(
                self._forward(reader, far_writer, is_answer=False), self._forward(far_reader, writer, is_answer=True)
            )
        finally:
            self._open -= {writer, far_writer}

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_answer: bool) -> None:
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if self._fault is Fault.DELAY:
                    await asyncio.sleep(DELAY_SECONDS)
                if self._fault is Fault.HOLE or (self._fault is Fault.DEAF and is_answer):
                    self._tainted.add(writer)
                    continue
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _close(self) -> None:
        self._server.close()
        self._inflict(Fault.CUT)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()  # also one whose connection was being opened; its writers must close while the loop runs
        await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def proxy(connect: Callable[[], Awaitable[Streams]]) -> Iterator[FaultProxy]:
    running = FaultProxy(connect)
    try:
        yield running
    finally:
        running.close()

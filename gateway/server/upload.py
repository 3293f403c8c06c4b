"""Reads a request's body to its end into a file, before the request gets a thread."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import IO, Any

from werkzeug import exceptions

Receive = Callable[[], Awaitable[dict[str, Any]]]

IN_MEMORY_BYTES = 64 * 1024
# A client must send PIECE_BYTES (or the rest of the body) every PIECE_SECONDS: half the rate of a slow modem.
PIECE_BYTES, PIECE_SECONDS = 32 * 1024, 10.0
# The whole body must arrive within TOTAL_SECONDS plus one second for every BYTES_PER_SECOND that have arrived, so that
# a slow line can send the largest image.
TOTAL_SECONDS, BYTES_PER_SECOND = 300.0, 16 * 1024
RETRY_AFTER_SECONDS = 2


class HungUp(Exception):
    """The client has closed the connection: no answer is needed."""


class Shelf:
    """The space, in bytes, that the request bodies of a process share.

    When the space is used up, the body that has been arriving for the longest time is dropped: clients that are slow on
    purpose must not keep others out.
    """

    def __init__(self, size: int) -> None:
        self._free = size
        self._arriving: dict[Upload, None] = {}  # in order of arrival

    def begin(self, upload: Upload) -> None:
        self._arriving[upload] = None

    def end(self, upload: Upload) -> None:
        self._arriving.pop(upload, None)

    def take(self, count: int, upload: Upload) -> None:
        """Reserve space for `upload`. Raises ServiceUnavailable if `upload` itself is the one to drop."""
        while self._free < count:
            oldest = next(iter(self._arriving))
            if oldest is upload:
                raise _no_room()
            oldest.evict()
        self._free -= count

    def give_back(self, count: int) -> None:
        self._free += count


class Upload:
    """The body of one request: its `file` and its `size`. Reading stops when `size` is above `max_bytes`."""

    def __init__(self, shelf: Shelf, max_bytes: int) -> None:
        self.size = 0
        self.is_whole = False
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115  see close()
        self._shelf, self._max_bytes = shelf, max_bytes
        self._stored = 0
        self._is_evicted = False
        self._deadline: asyncio.Timeout | None = None

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> None:
        """Read the body to its end.

        A body whose Content-Length is too large is not read, and its client gets no 100 Continue.
        Raises HungUp, or an HTTPException for a body that is too slow, finds no space, or has a Transfer-Encoding
        other than chunked.
        """
        coding = headers.get(b"transfer-encoding", b"chunked")
        if coding.lower() != b"chunked":
            raise exceptions.NotImplemented(f"Transfer-Encoding may be chunked, not {coding.decode('latin-1')}")
        self.size = int(headers.get(b"content-length", 0))
        self.is_whole = self.size == 0 and b"transfer-encoding" not in headers
        if self.is_whole or self.size > self._max_bytes:
            return
        self._shelf.begin(self)
        try:
            await self._receive_all(receive)
        except TimeoutError:
            raise _no_room() if self._is_evicted else _too_slow() from None
        finally:
            self._shelf.end(self)
        self.file.seek(0)

    def evict(self) -> None:
        """Drop this body to make room for another."""
        self._is_evicted = True
        self._shelf.end(self)
        self.close()
        if self._deadline is not None:
            with suppress(RuntimeError):  # the timeout context has just been left
                self._deadline.reschedule(0)

    def close(self) -> None:
        self.file.close()
        self._shelf.give_back(self._stored)
        self._stored = 0

    async def _receive_all(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        start, piece = loop.time(), 0
        deadline = start + PIECE_SECONDS
        async with asyncio.timeout_at(deadline) as self._deadline:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise HungUp
                # If a piece arrives at the instant of the deadline, the deadline does not interrupt asyncio.wait_for,
                # which gunicorn uses (Python 3.11).
                if self._is_evicted or (message["more_body"] and loop.time() >= deadline):
                    raise TimeoutError
                self._store(message["body"])
                self.is_whole = not message["more_body"]
                if self.is_whole or self._stored > self._max_bytes:
                    self.size = self._stored
                    return
                piece += len(message["body"])
                if piece >= PIECE_BYTES:
                    piece = 0
                    end = start + TOTAL_SECONDS + self._stored / BYTES_PER_SECOND
                    deadline = min(loop.time() + PIECE_SECONDS, end)
                    self._deadline.reschedule(deadline)

    def _store(self, data: bytes) -> None:
        self._shelf.take(len(data), self)
        self._stored += len(data)
        try:
            self.file.write(data)
        except OSError as error:  # the disk is full
            raise _unavailable(f"the body cannot be stored: {error.strerror}") from error


def _no_room() -> exceptions.ServiceUnavailable:
    return _unavailable("too many large bodies arrive at once; try again soon")


def _unavailable(reason: str) -> exceptions.ServiceUnavailable:
    return exceptions.ServiceUnavailable(reason, retry_after=RETRY_AFTER_SECONDS)


def _too_slow() -> exceptions.RequestTimeout:
    return exceptions.RequestTimeout(
        f"the body arrives too slowly: {PIECE_BYTES:,} bytes, or the rest, are expected every {PIECE_SECONDS:g} s, "
        f"and all of it within {TOTAL_SECONDS:g} s plus 1 s for every {BYTES_PER_SECOND:,} bytes"
    )

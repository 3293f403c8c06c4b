"""Sends an answer to a client piece by piece, with a deadline for each.

An event stream may begin before its answer is known, and an answer may be longer than memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

Send = Callable[[dict[str, Any]], Awaitable[None]]
NextPiece = Callable[[], Awaitable[bytes | None]]

# An answer is sent in pieces of this size, so that the server keeps no second copy of it for a slow reader.
PIECE_BYTES = 64 * 1024
# A client must read an answer within this time: a base, plus time for its size at the rate of a slow line.
ANSWER_SECONDS, ANSWER_BYTES_PER_SECOND = 30.0, 16 * 1024
# A comment of an event stream. Clients ignore it, and proxies see that the connection is in use.
COMMENT = b": waiting\n\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    more: Any = None  # if the answer is longer than memory: the pieces of its body, an iterator of bytes with `close`


class Sending:
    """The answer to one request."""

    def __init__(self, send: Send, abort: Callable[[], None]) -> None:
        self._send, self._abort = send, abort
        self.has_begun = self.is_aborted = False

    async def comment(self, head: Answer) -> None:
        """Send a comment of an event stream; before the first one, the status and headers of `head`."""
        async with self._deadline(0):
            await self._begin(head, [header for header in head.headers if header[0].lower() != "content-length"])
            await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})

    async def finish(self, answer: Answer, is_last: bool) -> None:
        """Send an answer; only its body if it has begun. `is_last` closes the connection afterwards."""
        async with self._deadline(len(answer.body)):
            await self._begin(answer, [*answer.headers, ("connection", "close")] if is_last else answer.headers)
            for at in range(0, len(answer.body) or 1, PIECE_BYTES):
                piece, is_more = answer.body[at : at + PIECE_BYTES], at + PIECE_BYTES < len(answer.body)
                await self._send({"type": "http.response.body", "body": piece, "more_body": is_more})

    async def finish_long(self, answer: Answer, next_piece: NextPiece, hung_up: asyncio.Event, is_last: bool) -> None:
        """Send an answer whose body comes in pieces, each after the client has read those before.

        If a piece cannot be made, the connection is closed, so that the client notices that the answer is incomplete.
        """
        head = Answer(answer.status, [*answer.headers, ("connection", "close")] if is_last else answer.headers, b"")
        async with self._deadline(0):
            await self._begin(head, head.headers)
        try:
            while not (self.is_aborted or hung_up.is_set()) and (piece := await next_piece()) is not None:
                for at in range(0, len(piece), PIECE_BYTES):
                    await self._send_body(piece[at : at + PIECE_BYTES], is_more=True)
        except Exception:
            log.exception("an answer ends early")
            self._end()
        else:
            await self._send_body(b"", is_more=False)

    async def _send_body(self, piece: bytes, is_more: bool) -> None:
        async with self._deadline(len(piece)):
            if not self.is_aborted:
                await self._send({"type": "http.response.body", "body": piece, "more_body": is_more})

    def _end(self) -> None:
        self.is_aborted = True
        self._abort()

    async def _begin(self, answer: Answer, headers: list[tuple[str, str]]) -> None:
        if not self.has_begun:
            self.has_begun = True
            encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            await self._send({"type": "http.response.start", "status": answer.status, "headers": encoded})

    @asynccontextmanager
    async def _deadline(self, size: int) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS + size / ANSWER_BYTES_PER_SECOND):
                yield
        except TimeoutError:
            self._end()
            await asyncio.sleep(0)  # let gunicorn notice it

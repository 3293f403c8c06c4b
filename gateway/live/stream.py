"""The event stream of one client: the messages that wait to be sent."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from gateway.live.message import Message, retry
from worker.access.credential import Credential
from worker.store.feeds import place

# A client that has more than this to read when the next event comes is cut off. A line that carries 16 kB/s reads it in
# 16 seconds. The kernel and the server's transport hold another few hundred kilobytes.
MAX_UNREAD_BYTES = 256 * 1024


class End(StrEnum):
    """Why a stream has ended."""

    COMPLETE = "complete"  # its last event was sent
    HUNG_UP = "hung_up"  # the client closed the connection
    TOO_SLOW = "too_slow"  # the client did not read
    KEY_INVALID = "key_invalid"  # the key of the client was revoked or has expired, or its session has ended
    GATEWAY_STOPS = "gateway_stops"
    FAILED = "failed"  # the stream could not begin


class Stream:
    """The messages that wait for one client. Thread-safe; only the server's event loop calls `next`.

    `feed` is the name of the feed that it follows. `payer` is whose open streams count against a maximum. `credential`
    is that of the client that opened the stream, None if it needs none. `label` is the request in log lines.
    """

    def __init__(self, feed: str, payer: str, credential: Credential | None, label: str) -> None:
        self.feed = feed
        self.payer = payer
        self.credential = credential
        self.label = label
        self.end_reason: End | None = None
        self.sent = 0
        self.opened_at = time.monotonic()
        self._waiting: deque[Message] = deque()
        self._unread = 0
        self._after: tuple[int, int] | None = None  # the client has this entry and those before it; None until `start`
        self._early: list[Message] = []  # what came before `start`
        self._lock = threading.Lock()
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._abort: Callable[[], None] | None = None

    def start(self, first: Sequence[Message], after: str) -> None:
        """Send these messages first, and then those that come after the entry `after` of the feed."""
        with self._lock:
            self._after = place(after)
            self._add([retry(), *first, *filter(self._is_new, self._early)])
            self._early.clear()

    def put(self, messages: Iterable[Message]) -> None:
        """Send these messages next. A client that does not read those before is cut off."""
        with self._lock:
            if self._after is None:
                self._early.extend(messages)
            elif self._unread > MAX_UNREAD_BYTES:
                self._end(End.TOO_SLOW)
                self._waiting.clear()
                if self._loop is not None and self._abort is not None:
                    self._loop.call_soon_threadsafe(self._abort)
            else:
                self._add(filter(self._is_new, messages))

    def end(self, reason: End) -> None:
        """Send what waits, and nothing more. The first reason counts."""
        with self._lock:
            self._end(reason)

    def attach(self, abort: Callable[[], None]) -> None:
        """Note that the running event loop sends this stream, and that `abort` closes its connection immediately."""
        with self._lock:
            self._loop, self._abort = asyncio.get_running_loop(), abort

    async def next(self) -> bytes | None:
        """Wait for messages and return them; None at the end of the stream."""
        while True:
            self._news.clear()
            with self._lock:
                if self._waiting:
                    return self._taken()
                if self.end_reason:
                    return None
            await self._news.wait()

    def _is_new(self, message: Message) -> bool:
        return message.id is None or self._after is None or place(message.id) > self._after

    def _add(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if self.end_reason:
                break
            self._waiting.append(message)
            self._unread += len(message.sent)
            if message.is_last:
                self._end(End.COMPLETE)
        self._wake()

    def _taken(self) -> bytes:
        taken = list(self._waiting)
        self._waiting.clear()
        self._unread = 0
        self.sent += len(taken)
        return b"".join(message.sent for message in taken)

    def _end(self, reason: End) -> None:
        self.end_reason = self.end_reason or reason
        self._wake()

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

"""A request whose answer waits for the end of a job or a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from flask.typing import ResponseReturnValue


class Hold:
    """Waits for the end of a job or batch, at most until `until` (time.monotonic). Then `answer` returns the response.

    `name` is what Redis publishes at that end, and `has_ended` reads whether it has come. `may_be_early` allows an
    answer before the end when this process stops. `is_stream` is True for an event stream: the client gets comments
    while it waits.
    """

    def __init__(
        self,
        name: str,
        seconds: float,
        may_be_early: bool,
        has_ended: Callable[[], bool],
        answer: Callable[[], ResponseReturnValue],
        is_stream: bool = False,
    ):
        self.name = name
        self.until = time.monotonic() + seconds
        self.may_be_early = may_be_early
        self.has_ended = has_ended
        self.answer = answer
        self.is_stream = is_stream
        self.over: Future[None] = Future()

    def end(self) -> None:
        with suppress(InvalidStateError):  # it has ended already, or the client has hung up
            self.over.set_result(None)

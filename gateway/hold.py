"""A request whose answer waits for the end of a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress

from flask.typing import ResponseReturnValue


class Hold:
    """Waits until a job has ended, at most until `until` (time.monotonic). Then `answer` returns the response.

    `may_be_early` allows an answer before the end of the job when this process stops. `is_stream` is True for an event
    stream: the client gets comments while it waits.
    """

    def __init__(
        self,
        job_id: str,
        seconds: float,
        may_be_early: bool,
        answer: Callable[[], ResponseReturnValue],
        is_stream: bool = False,
    ):
        self.job_id = job_id
        self.until = time.monotonic() + seconds
        self.may_be_early = may_be_early
        self.answer = answer
        self.is_stream = is_stream
        self.over: Future[None] = Future()

    def end(self) -> None:
        with suppress(InvalidStateError):  # it has ended already, or the client has hung up
            self.over.set_result(None)

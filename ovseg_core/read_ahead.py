"""A thread that reads ahead. Neither its user nor the interpreter waits for it at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class ReadAhead:
    """Runs calls one after the other in its own thread.

    A ThreadPoolExecutor does the same, but the interpreter waits for its threads at exit, and a thread may be waiting
    for a server.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._is_closed = False
        threading.Thread(target=self._run, name="read-ahead", daemon=True).start()

    def submit(self, call: Callable[[], Answer]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        self._calls.put((answer, call))
        return answer

    def close(self) -> None:
        """Drop the calls that have not started. Returns immediately, also while a call is running."""
        self._is_closed = True
        self._calls.put(None)

    def _run(self) -> None:
        while (submitted := self._calls.get()) is not None and not self._is_closed:
            answer, call = submitted
            try:
                answer.set_result(call())
            except BaseException as error:  # the thread that waits for the answer handles every kind
                answer.set_exception(error)
            del answer, call, submitted  # they hold pixels, which should not stay in memory during the next wait

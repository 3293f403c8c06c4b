"""A thread that reads ahead, and is not waited for at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class ReadAhead:
    """Makes calls one after the other in a thread of its own.

    A ThreadPoolExecutor does the same, but the interpreter's exit waits for its threads, and one may hang on a server.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._is_left = False
        threading.Thread(target=self._run, name="read-ahead", daemon=True).start()

    def submit(self, call: Callable[[], Answer]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        self._calls.put((answer, call))
        return answer

    def close(self) -> None:
        """Returns at once. The call that is being made is the last one."""
        self._is_left = True
        self._calls.put(None)

    def _run(self) -> None:
        while (one := self._calls.get()) is not None and not self._is_left:
            answer, call = one
            try:
                answer.set_result(call())
            except BaseException as error:  # any kind is for the one who waits for the answer
                answer.set_exception(error)
            del answer, call, one  # pixels, which the next wait should not keep

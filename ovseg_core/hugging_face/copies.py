"""Copies of the models on several devices. Each is in a process of its own, because Paddle has one current device."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from ovseg_core.hugging_face.asked import Asked
from ovseg_core.hugging_face.loaded import Choice

STOP_WITHIN = 60  # seconds that a copy may take to finish its batch after its pipeline is gone


class Copies:
    """The models on several devices. A device that is free takes the next batch."""

    def __init__(self, choice: Choice, devices: Sequence[str], is_detection: bool) -> None:
        """Start a process for each device and load the models. Raises the errors of loading."""
        ends = [_started() for _ in devices]
        weakref.finalize(self, _stop, ends)
        self._count, self._free = len(devices), SimpleQueue[Connection]()
        for (connection, _), device in zip(ends, devices, strict=True):
            connection.send((choice, device, is_detection))
        for connection, _ in ends:
            _received(connection)
            self._free.put(connection)

    def results(self, batches: Iterable[Sequence[Asked]]) -> Generator[Any]:
        """Yield the results of the batches in their order."""
        waiting: deque[Future[list[Any]]] = deque()
        with ThreadPoolExecutor(self._count) as threads:
            for batch in batches:
                waiting.append(threads.submit(self._answers, batch))
                if len(waiting) > self._count:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()

    def _answers(self, batch: Sequence[Asked]) -> list[Any]:
        connection = self._free.get()
        try:
            connection.send(batch)
            found: list[Any] = _received(connection)
            return found
        finally:
            self._free.put(connection)


def _started() -> tuple[Connection, subprocess.Popen[bytes]]:
    ours, theirs = Pipe()
    command = [sys.executable, "-m", "ovseg_core.hugging_face.copy_process", str(theirs.fileno())]
    with theirs:
        # Ctrl-C is for the pipeline's process; the copy ends when the connection does.
        return ours, subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)


def _received(connection: Connection) -> Any:
    """Return what a copy answers. Raises its error, and RuntimeError if its process died."""
    try:
        answer, error = connection.recv()
    except (EOFError, ConnectionError):
        raise RuntimeError("the process of a device died; its last lines are on the standard error") from None
    if error is not None:
        raise error
    return answer


def _stop(ends: Sequence[tuple[Connection, subprocess.Popen[bytes]]]) -> None:
    for connection, _ in ends:
        connection.close()
    for _, process in ends:
        process.wait(STOP_WITHIN)

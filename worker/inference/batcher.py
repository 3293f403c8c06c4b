"""The device's one thread: calls wait for it, and those that wait together and can run together do."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class BatchKey(Generic[Item, Answer]):
    """Calls with equal keys may share a batch: keys are equal if their `id` is.

    `run` processes a batch; the sizes of its items add up to at most `max_size`.
    """

    id: Hashable
    run: Callable[[Sequence[Item]], Sequence[Answer]] = field(compare=False)
    max_size: int = field(default=1, compare=False)


@dataclass(frozen=True, eq=False)
class _Call:
    key: BatchKey[Any, Any]
    item: Any
    size: int
    answer: Future[Any] = field(default_factory=Future)


class Batcher:
    """Callable from any thread. A call that finds the thread idle runs at once: nothing is waited for, to fill a batch.

    The call that has waited longest is served first, together with later ones of an equal key.
    """

    def __init__(self, name: str) -> None:
        self._waiting: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._running_since: float | None = None
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def __call__(self, key: BatchKey[Item, Answer], item: Item, size: int = 1) -> Future[tuple[Answer, float]]:
        """The answer to an item, and its share of the milliseconds that `run` took."""
        call = _Call(key, item, size)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify()
        return call.answer

    @property
    def running_seconds(self) -> float:
        """How long the present batch has been running; 0 while the thread is idle."""
        since = self._running_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def waiting(self) -> int:
        """How many calls wait for the thread."""
        return len(self._waiting)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                batch = self._next()
            self._running_since = time.monotonic()
            _run(batch)
            self._running_since = None

    def _next(self) -> list[_Call]:
        batch = [self._waiting.popleft()]
        room = batch[0].key.max_size - batch[0].size
        for call in [call for call in self._waiting if call.key == batch[0].key]:
            if call.size > room:
                break
            room -= call.size
            batch.append(call)
            self._waiting.remove(call)
        return batch


def _run(batch: Sequence[_Call]) -> None:
    start = time.perf_counter()
    try:
        answers = batch[0].key.run([call.item for call in batch])
    except BaseException as error:  # SystemExit too: it is the caller's, and must not end the device's thread
        if len(batch) == 1:
            batch[0].answer.set_exception(error)
        else:
            for call in batch:  # only what is bad by itself fails
                _run([call])
        return
    milliseconds = (time.perf_counter() - start) * 1000 / sum(call.size for call in batch)
    for call, answer in zip(batch, answers, strict=True):
        call.answer.set_result((answer, milliseconds * call.size))

"""One thread that runs all calls to a device. Calls of one kind that wait at the same time run as one batch."""

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
    """Calls with equal keys may share a batch. Keys are equal if their `id` is equal.

    `run` processes a batch. The sizes of the batch's items add up to at most `max_size`.
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
    """Runs calls on one thread. Callable from any thread.

    A call that finds the thread idle runs immediately: it does not wait for others to fill a batch. The call that has
    waited longest runs first, together with later calls of an equal key.
    """

    def __init__(self, name: str) -> None:
        self._waiting: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._running_since: float | None = None
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def __call__(self, key: BatchKey[Item, Answer], item: Item, size: int = 1) -> Future[tuple[Answer, float]]:
        """Run an item in a batch of its key.

        Args:
            key: The kind of the call.
            item: What `key.run` gets, together with the other items of the batch.
            size: How much of `key.max_size` the item uses. A single item may use more.

        Returns:
            A future of the item's answer and of its share of the milliseconds that `run` took. It raises what `run`
            raises for a batch of this item alone.
        """
        call = _Call(key, item, size)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify()
        return call.answer

    @property
    def running_seconds(self) -> float:
        """The seconds that the current batch has been running; 0 while the thread is idle."""
        since = self._running_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def waiting(self) -> int:
        """The number of calls that wait for the thread."""
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
    except BaseException as error:  # SystemExit too: it belongs to the caller and must not end the device's thread
        if len(batch) == 1:
            batch[0].answer.set_exception(error)
        else:
            for call in batch:  # so that only calls that fail alone fail
                _run([call])
        return
    milliseconds = (time.perf_counter() - start) * 1000 / sum(call.size for call in batch)
    for call, answer in zip(batch, answers, strict=True):
        call.answer.set_result((answer, milliseconds * call.size))

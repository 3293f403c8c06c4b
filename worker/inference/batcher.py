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

# This many batches in a row may overtake the call that has waited longest. If urgent calls never stop, the other calls
# still get one batch in eight, and an encoding takes several times as long as the decodings that overtake it.
MAX_OVERTAKEN = 7


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
    urgency: int
    answer: Future[Any] = field(default_factory=Future)


class Batcher:
    """Runs calls on one thread. Callable from any thread.

    A call that finds the thread idle runs immediately: it does not wait for others to fill a batch. The most urgent
    call runs first, and of equally urgent ones the call that has waited longest, together with waiting calls of an
    equal key. At most MAX_OVERTAKEN batches overtake the call that has waited longest of all, so that every call runs.
    """

    def __init__(self, name: str) -> None:
        self._waiting: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._running_since: float | None = None
        self._overtaken = 0  # the number of batches that overtook the call that has waited longest
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def __call__(
        self, key: BatchKey[Item, Answer], item: Item, size: int = 1, urgency: int = 0
    ) -> Future[tuple[Answer, float]]:
        """Run an item in a batch of its key.

        Args:
            key: The kind of the call.
            item: What `key.run` gets, together with the other items of the batch.
            size: How much of `key.max_size` the item uses. A single item may use more.
            urgency: Calls with a smaller number run first.

        Returns:
            A future of the item's answer and of its share of the milliseconds that `run` took. It raises what `run`
            raises for a batch of this item alone.
        """
        call = _Call(key, item, size, urgency)
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
        longest = self._waiting[0]
        in_order = sorted(self._waiting, key=lambda call: call.urgency)  # of equally urgent calls the longest first
        first = longest if self._overtaken == MAX_OVERTAKEN else in_order[0]
        batch = [first]
        room = first.key.max_size - first.size
        for call in in_order:
            if call.key == first.key and call is not first:
                if call.size > room:
                    break
                room -= call.size
                batch.append(call)
        for call in batch:
            self._waiting.remove(call)
        self._overtaken = 0 if longest in batch else self._overtaken + 1
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

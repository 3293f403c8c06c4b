"""Work that is done a short time after it was asked for."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence

from worker.store.later import Later

SOON = 0.1


def test_texts_are_handled_in_order_and_not_before_their_time() -> None:
    handled: queue.Queue[tuple[float, Sequence[str]]] = queue.Queue()
    later = Later[str](SOON, lambda texts: handled.put((time.monotonic(), texts)), "later")
    for _ in range(2):  # the thread waits without work in between
        start = time.monotonic()
        for text in "abc":
            later.add(text)
        seen: list[str] = []
        while len(seen) < 3:
            at, texts = handled.get(timeout=30)
            assert at >= start + SOON
            seen += texts
        assert seen == ["a", "b", "c"]


def test_texts_that_are_due_are_handled_together() -> None:
    handled: queue.Queue[Sequence[str]] = queue.Queue()

    def handle(texts: Sequence[str]) -> None:
        if not handled.qsize():
            for text in "abc":
                later.add(text)
        handled.put(texts)

    later = Later(0.0, handle, "later")
    later.add("first")
    assert [handled.get(timeout=30), handled.get(timeout=30)] == [["first"], ["a", "b", "c"]]

"""Calls that wait for the device together run in one batch, and a bad call fails alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.inference.batcher import MAX_OVERTAKEN, Batcher, BatchKey


class Device:
    """Doubles numbers and raises ValueError for negative ones. Records its batches. Waits while it is held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self._free = threading.Event()
        self._begun = threading.Event()
        self.batcher = Batcher("test")

    def kind(self, key: str, max_size: int) -> BatchKey[int, int]:
        def run(items: Sequence[int]) -> list[int]:
            self.batches.append(list(items))
            if min(items) < 0:
                raise ValueError(f"{min(items)} is negative")
            return [2 * item for item in items]

        return BatchKey(key, run, max_size)

    def hold(self) -> None:
        """Keep the device busy until `free`, so that the next calls wait."""

        def run(_: Sequence[None]) -> list[None]:
            self._begun.set()
            self._free.wait(30)
            return [None]

        self.batcher(BatchKey("hold", run), None)
        self._begun.wait(30)

    def free(self) -> None:
        self._free.set()


Wanted = list[tuple[str, int, int]]  # key, item, size
wanted = st.lists(st.tuples(st.sampled_from("ab"), st.integers(-2, 9), st.integers(1, 5)), max_size=20)


@given(wanted, st.integers(1, 8))
def test_each_call_gets_its_own_answer_and_only_bad_calls_fail(calls: Wanted, max_size: int) -> None:
    device = Device()
    device.hold()
    answers: list[Future[tuple[int, float]]] = [
        device.batcher(device.kind(key, max_size), item, size) for key, item, size in calls
    ]
    device.free()
    for (_, item, _), answer in zip(calls, answers, strict=True):
        if item < 0:
            with pytest.raises(ValueError, match="is negative"):
                answer.result(30)
        else:
            assert answer.result(30)[0] == 2 * item


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), max_size=20), st.integers(5, 8))
def test_calls_of_one_kind_run_in_order_in_batches_as_large_as_fit(calls: list[tuple[str, int]], max_size: int) -> None:
    device = Device()
    device.hold()
    answers = [device.batcher(device.kind(key, max_size), i, size) for i, (key, size) in enumerate(calls)]
    device.free()
    for answer in answers:
        answer.result(30)
    assert sorted(i for batch in device.batches for i in batch) == list(range(len(calls)))
    for batch in device.batches:
        assert len({calls[i][0] for i in batch}) == 1
        assert sum(calls[i][1] for i in batch) <= max_size
    for key in "ab":
        order = [i for batch in device.batches for i in batch if calls[i][0] == key]
        assert order == sorted(order)
        together = [batch for batch in device.batches if calls[batch[0]][0] == key]
        for batch, following in pairwise(together):  # no batch had room for the next call
            assert sum(calls[i][1] for i in batch) + calls[following[0]][1] > max_size


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=MAX_OVERTAKEN))
def test_the_most_urgent_call_runs_first_and_of_equal_ones_the_one_that_has_waited_longest(
    calls: list[tuple[int, int]],
) -> None:
    device = Device()
    device.hold()
    answers = [device.batcher(device.kind("a", 1), i, size, urgency) for i, (urgency, size) in enumerate(calls)]
    device.free()
    for answer in answers:
        answer.result(30)
    assert device.batches == [[i] for i in sorted(range(len(calls)), key=lambda i: calls[i][0])]


def test_a_batch_is_filled_with_the_most_urgent_calls_of_its_kind() -> None:
    device = Device()
    device.hold()
    urgencies = [3, 2, 1, 3, 1, 2]
    answers = [device.batcher(device.kind("a", 4), i, urgency=urgency) for i, urgency in enumerate(urgencies)]
    device.free()
    for answer in answers:
        answer.result(30)
    assert device.batches == [[2, 4, 1, 5], [0, 3]]


def test_no_call_is_overtaken_for_long() -> None:
    device = Device()
    device.hold()
    answers = [device.batcher(device.kind("least urgent", 1), -i, urgency=3) for i in range(2)]
    urgent = 3 * MAX_OVERTAKEN
    answers += [device.batcher(device.kind("urgent", 1), i, urgency=0) for i in range(1, urgent + 1)]
    device.free()
    for answer in answers:
        answer.exception(30)
    order = [batch[0] for batch in device.batches]
    assert order.index(0) == MAX_OVERTAKEN
    assert order.index(-1) == 2 * MAX_OVERTAKEN + 1
    assert len(order) == urgent + 2


def test_an_idle_device_runs_a_call_immediately_and_alone() -> None:
    device = Device()
    for item in (1, 2, 3):
        assert device.batcher(device.kind("a", 8), item).result(30)[0] == 2 * item
    assert device.batches == [[1], [2], [3]]


def test_a_system_exit_in_a_call_does_not_end_the_device_s_thread() -> None:
    def leave(_: Sequence[int]) -> list[int]:
        raise SystemExit(3)

    device = Device()
    with pytest.raises(SystemExit):
        device.batcher(BatchKey("leave", leave), 1).result(30)
    assert device.batcher(device.kind("a", 1), 4).result(30)[0] == 8


def test_running_seconds_show_that_a_batch_hangs() -> None:
    device = Device()
    assert device.batcher.running_seconds == 0
    device.hold()
    time.sleep(0.05)
    assert device.batcher.running_seconds >= 0.05
    device.free()
    assert device.batcher(device.kind("a", 1), 1).result(30)[0] == 2
    deadline = time.monotonic() + 30
    while device.batcher.running_seconds:
        assert time.monotonic() < deadline
        time.sleep(0.01)

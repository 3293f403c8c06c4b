"""Which slots a worker has for jobs besides those that Celery's threads run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from worker.process.slots import Slot, Slots


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def free(slots: Slots) -> Slot | None:
    """Return the slot that there is for the lookout now; None if it must wait."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(slots.wait_for_one)
        done = threading.Event()
        found.add_done_callback(lambda _: done.set())
        is_free = done.wait(0.2)
        slots.close()  # ends the wait
        return found.result(30) if is_free else None


def test_while_celery_has_an_idle_thread_the_lookout_takes_no_slot(held: ExitStack) -> None:
    slots = Slots(2)
    held.enter_context(slots.taken(Slot.ANY))
    assert free(slots) is None


def test_while_all_of_celery_s_threads_are_busy_one_slot_is_left_for_a_light_job(held: ExitStack) -> None:
    slots = Slots(2)
    for _ in range(2):
        held.enter_context(slots.taken(Slot.ANY))
    assert slots.wait_for_one() is Slot.LIGHT
    held.enter_context(slots.taken(Slot.LIGHT))
    assert free(slots) is None


def test_a_job_that_waits_for_another_lends_its_slot_and_takes_it_back_without_a_wait(held: ExitStack) -> None:
    slots = Slots(1)
    waiting = held.enter_context(slots.taken(Slot.ANY))
    with waiting():
        assert slots.wait_for_one() is Slot.ANY
        held.enter_context(slots.taken(Slot.ANY))
        assert slots.wait_for_one() is Slot.LIGHT
    # now two jobs run in one slot; when the first one ends, the slot is still in use
    assert slots.wait_for_one() is Slot.LIGHT


def test_no_more_slots_are_lent_than_there_are(held: ExitStack) -> None:
    slots = Slots(1)
    first, second = (held.enter_context(slots.taken(Slot.ANY)) for _ in range(2))
    with first(), second():
        assert slots.wait_for_one() is Slot.LIGHT


def test_a_light_job_keeps_its_slot_while_it_waits(held: ExitStack) -> None:
    slots = Slots(1)
    held.enter_context(slots.taken(Slot.ANY))
    waiting = held.enter_context(slots.taken(Slot.LIGHT))
    with waiting():
        assert free(slots) is None


def test_a_slot_that_becomes_free_ends_the_lookout_s_wait(held: ExitStack) -> None:
    slots = Slots(1)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(slots.wait_for_one)
        held.enter_context(slots.taken(Slot.ANY))
        assert found.result(30) is Slot.LIGHT


def test_closed_slots_end_the_lookout_s_wait_also_if_one_is_free(held: ExitStack) -> None:
    slots = Slots(1)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(slots.wait_for_one)
        slots.close()
        assert found.result(30) is None
    held.enter_context(slots.taken(Slot.ANY))
    assert slots.wait_for_one() is None

"""The slots of a worker: how many jobs it runs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum

from worker.job.attempt import Waiting


class Slot(Enum):
    """A place for a job."""

    ANY = "any"
    LIGHT = "light"  # only for a light job: one whose image's embedding a worker probably has


class Slots:
    """`count` slots for all jobs, and one for light jobs, so that a click need not wait until an image is encoded.

    Celery has `count` threads, which take the slots for all jobs. The lookout takes the others: the one for light jobs,
    and a slot that its job has lent, because Celery's thread is not free. Thread-safe.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._in_use = dict.fromkeys(Slot, 0)
        self._lent = 0
        self._is_closed = False
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, slot: Slot) -> Iterator[Waiting]:
        """Use a slot while the block runs, without a wait for one. Yields what the job enters while it waits."""
        self.take(slot)
        try:
            yield self.waiting(slot)
        finally:
            self.release(slot)

    def take(self, slot: Slot) -> None:
        self._change(slot, 1)

    def release(self, slot: Slot) -> None:
        self._change(slot, -1)

    def waiting(self, slot: Slot) -> Waiting:
        """Return what a job in this slot enters while it waits for another job."""
        return self._lending if slot is Slot.ANY else nullcontext

    def wait_for_one(self) -> Slot | None:
        """Wait until there is a slot for the lookout. Returns None once the slots are closed."""
        with self._changed:
            self._changed.wait_for(self._is_needed)
            return None if self._is_closed else self._free()

    def close(self) -> None:
        """Let the lookout take no more slots."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _is_needed(self) -> bool:
        """True if the lookout has something to do. It is not woken otherwise: each job changes its slot twice."""
        return self._is_closed or self._free() is not None

    def _free(self) -> Slot | None:
        in_use = self._in_use[Slot.ANY]
        if in_use + self._lent < self._count:
            return None  # one of Celery's threads waits for a permit, and begins a job sooner than the lookout
        if in_use < self._count:
            return Slot.ANY
        return Slot.LIGHT if self._in_use[Slot.LIGHT] == 0 else None

    @contextmanager
    def _lending(self) -> Iterator[None]:
        """Lend the slot to another job while the block runs, unless `count` slots are lent already.

        Then take it back without a wait: if that waited for a job which waits for this one, neither would end. So up to
        twice as many jobs as slots run for a moment.
        """
        with self._changed:
            is_lent = self._lent < self._count
            self._lend(is_lent)
        try:
            yield
        finally:
            with self._changed:
                self._lend(-is_lent)

    def _lend(self, count: int) -> None:
        self._lent += count
        self._use(Slot.ANY, -count)

    def _change(self, slot: Slot, count: int) -> None:
        with self._changed:
            self._use(slot, count)

    def _use(self, slot: Slot, count: int) -> None:
        self._in_use[slot] += count
        if self._is_needed():
            self._changed.notify_all()

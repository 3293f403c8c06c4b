"""A worker's lookout: it begins jobs for which Celery has no thread, and runs them in threads of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from redis import RedisError

from worker.job.attempt import Waiting
from worker.job.record import Job
from worker.process.slots import Slot, Slots

log = logging.getLogger(__name__)

# A click waits for half of this on average, which is a tenth of its time. Each look is one command to Redis, 0.1 ms of
# CPU time in this process and in Redis together.
LOOK_EVERY_SECONDS = 0.02
LOOK_AGAIN_SECONDS = 1.0  # after an error


class Lookout:
    """Looks for jobs while all of Celery's threads are busy and there is a slot that they do not use.

    It takes no permits: a permit in a thread that waits for a slot would be missing for a worker that has one. A job
    that the lookout begins leaves a permit too many in the queue, which does no harm: a worker finds no job for it.
    """

    def __init__(
        self, slots: Slots, count: int, begin: Callable[[Slot], Job | None], run: Callable[[Job, Waiting], None]
    ) -> None:
        """Create a lookout that does not look yet.

        Args:
            slots: The slots of this worker.
            count: The number of slots for all jobs.
            begin: Claims a job for a slot; returns None if none waits.
            run: Runs a job that was claimed.
        """
        self._slots, self._begin, self._run = slots, begin, run
        # A job that was claimed must run, so there is a thread for every slot that can be taken or lent. Most of
        # these threads are never started.
        self._threads = ThreadPoolExecutor(2 * count + 1, "lookout-job")
        self._thread = threading.Thread(target=self._look, name="lookout", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no more jobs. Those that run continue."""
        self._stopping.set()
        self._slots.close()

    def join(self) -> None:
        """Wait until all jobs that it runs have ended."""
        if self._thread.is_alive():
            self._thread.join()
        self._threads.shutdown()

    def _look(self) -> None:
        while (slot := self._slots.wait_for_one()) is not None:
            pause = LOOK_EVERY_SECONDS
            try:
                if (job := self._begin(slot)) is not None:
                    self._slots.take(slot)
                    self._threads.submit(self._run_in, slot, job)
                    continue
            except RedisError as error:
                log.warning("the lookout cannot look for jobs, Redis is unreachable: %s", error)
                pause = LOOK_AGAIN_SECONDS
            except Exception:  # any exception would end the lookout
                log.exception("the lookout cannot begin a job")
                pause = LOOK_AGAIN_SECONDS
            self._stopping.wait(pause)

    def _run_in(self, slot: Slot, job: Job) -> None:
        try:
            self._run(job, self._slots.waiting(slot))
        finally:
            self._slots.release(slot)

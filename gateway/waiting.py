"""Holds a request until its job or batch has ended. No thread waits: the server keeps it, and calls again."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Response
from flask.typing import ResponseReturnValue

from gateway import handover
from gateway.hold import Hold
from worker.batch.batch import Batch
from worker.batch.batches import Batches
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.store.keyspace import Keyspace

log = logging.getLogger(__name__)

Answer = Callable[[Job | None], ResponseReturnValue]

# Redis publishes an end only to those who are subscribed at that moment, so jobs and batches are also read regularly.
LOOK_AGAIN_SECONDS = 5.0
# A hold is answered when its time is up. If it still exists this long afterwards, its client has hung up.
FORGET_HOLD_AFTER_SECONDS = 60.0


class Waiting:
    """The holds of a process. They share one thread, which is subscribed to the ends of jobs in Redis. Thread-safe."""

    def __init__(self, jobs: Jobs, batches: Batches, keyspace: Keyspace, leaving: threading.Event) -> None:
        self._jobs = jobs
        self._batches = batches
        self._leaving = leaving
        self._keyspace = keyspace
        self.max_holds: int | None = None  # the server sets it, so that connections are left for other requests
        self._holds: dict[str, set[Hold]] = defaultdict(set)
        self._lock = threading.Lock()
        self._listener: threading.Thread | None = None
        self._is_listening = threading.Event()
        self._is_subscribed = False
        self._expected: set[str] = set()  # jobs that have not ended since they were accepted by a current request

    @contextmanager
    def expecting(self, job_id: str) -> Iterator[None]:
        """Notice the end of a job that is accepted in this block, so that `answer` need not read the job first.

        No other request may wait for this job meanwhile.
        """
        with self._lock:
            if self._is_subscribed:
                self._expected.add(job_id)
        try:
            yield
        finally:
            with self._lock:
                self._expected.discard(job_id)

    def answer(
        self,
        job_id: str,
        seconds: float,
        answer: Answer,
        may_be_early: bool = True,
        job: Job | None = None,
        head: Response | None = None,
    ) -> ResponseReturnValue:
        """Return `answer(job)` once the job has ended, or after `seconds`; `answer(None)` if there is no such job.

        The answer comes early if the client hangs up, and, if `may_be_early`, when this process stops. It comes
        immediately if there are `max_holds` already. `job` is the job if the caller has read it just now.
        `head` has the headers of an answer that is an event stream: the client gets them and comments while it waits.
        """

        def has_ended() -> bool:
            return _has_ended(self._jobs.get(job_id))

        def late() -> ResponseReturnValue:
            self._drop(hold)
            return answer(self._jobs.get_with_result(job_id))

        hold = Hold(job_id, seconds, may_be_early, has_ended, late, is_stream=head is not None)
        job = job or self._jobs.get_with_result(job_id)
        return self._keep(hold, head) if self._can_wait(hold, _has_ended(job)) else answer(job)

    def answer_batch(
        self, batch: Batch, seconds: float, answer: Callable[[Batch | None], ResponseReturnValue]
    ) -> ResponseReturnValue:
        """Return `answer(batch)` once a batch, which was read just now, has ended, or as early as `answer` may."""
        batch_id = batch.id

        def has_ended() -> bool:
            found = self._batches.get(batch_id)
            return found is None or found.has_ended

        def late() -> ResponseReturnValue:
            self._drop(hold)
            return answer(self._batches.get(batch_id))

        hold = Hold(f"batch:{batch_id}", seconds, True, has_ended, late)
        return self._keep(hold) if self._can_wait(hold, batch.has_ended) else answer(batch)

    def leave(self) -> None:
        """Answer the holds that may be answered early, because this process stops."""
        self._leaving.set()
        with self._lock:
            for hold in [hold for holds in self._holds.values() for hold in holds if hold.may_be_early]:
                hold.end()

    def _can_wait(self, hold: Hold, has_ended: bool) -> bool:
        is_over = has_ended or self._must_answer(hold) or hold.until <= time.monotonic()
        return not is_over and handover.can_hold() and not self._is_full()

    def _must_answer(self, hold: Hold) -> bool:
        return hold.may_be_early and self._leaving.is_set()

    def _is_full(self) -> bool:
        with self._lock:
            return self.max_holds is not None and sum(map(len, self._holds.values())) >= self.max_holds

    def _keep(self, hold: Hold, head: Response | None = None) -> Response:
        """Keep a hold until it is answered. It ends here if its job or batch ended before we subscribed."""
        with self._lock:
            self._holds[hold.name].add(hold)
            if hold.name in self._expected and not self._must_answer(hold):
                return handover.hold(hold, head)  # no news of this job's end has come: the listener will end the hold
            if self._listener is None:  # not earlier: gunicorn forks after it has made the application
                self._listener = threading.Thread(target=self._listen, name="done", daemon=True)
                self._listener.start()
        self._is_listening.wait(1)
        try:
            if self._must_answer(hold) or hold.has_ended():
                hold.end()
        except BaseException:
            self._drop(hold)
            raise
        return handover.hold(hold, head)

    def _drop(self, hold: Hold) -> None:
        with self._lock:
            self._holds[hold.name].discard(hold)
            if not self._holds[hold.name]:
                del self._holds[hold.name]

    def _listen(self) -> None:
        while True:
            try:
                self._follow()
            except Exception as error:  # usually an outage of Redis; without this thread no hold ends before its time
                self._forget_expected(is_subscribed=False)
                log.warning("not subscribed to the ends of jobs, trying again: %s: %s", type(error).__name__, error)
                time.sleep(1)

    def _follow(self) -> None:
        with self._keyspace.redis.pubsub() as news:
            news.subscribe(self._keyspace.key("done"))
            looked_at = 0.0
            while True:
                message = news.get_message(timeout=1)
                if message is not None and message["type"] == "subscribe":
                    self._forget_expected(is_subscribed=True)
                    self._is_listening.set()
                elif message is not None:
                    self._end(message["data"])
                if time.monotonic() - looked_at >= LOOK_AGAIN_SECONDS:
                    self._look()
                    looked_at = time.monotonic()

    def _forget_expected(self, is_subscribed: bool) -> None:
        """Forget which jobs have not ended, because the subscription begins or ends here."""
        with self._lock:
            self._is_subscribed = is_subscribed
            self._expected.clear()

    def _look(self) -> None:
        with self._lock:
            holds = [hold for holds in self._holds.values() for hold in holds]
        for hold in holds:
            if hold.until + FORGET_HOLD_AFTER_SECONDS < time.monotonic():
                self._drop(hold)
        for hold in {hold.name: hold for hold in holds}.values():
            if _is_over(hold):
                self._end(hold.name)

    def _end(self, name: str) -> None:
        with self._lock:
            self._expected.discard(name)
            for hold in self._holds.get(name, ()):
                hold.end()


def _is_over(hold: Hold) -> bool:
    """Return True if the job or batch of a hold has ended, or has an invalid record: only its requests then fail."""
    try:
        return hold.has_ended()
    except (LookupError, ValueError):
        return True


def _has_ended(job: Job | None) -> bool:
    return job is None or job.status.is_terminal

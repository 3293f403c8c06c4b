"""A worker's heartbeat: it renews the leases of the worker's running jobs, and the worker's line in the roster."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis import RedisError

from worker.job.attempt import LeaseLost, Stopped
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.process.roster import Roster

log = logging.getLogger(__name__)

# How old the last answer of Redis may be before a stage that takes little time: decoding, or storing a result without
# files. A click on a known image takes less than that from its claim to its end.
RECENT_SECONDS = 0.2
FOLLOWED = "followed"  # the answer of Redis for a job that may continue and has a feed


class Heartbeat:
    """Sends a heartbeat every `pause_seconds`, in its own thread, until the process ends."""

    def __init__(self, jobs: Jobs, roster: Roster, pause_seconds: float) -> None:
        self._jobs = jobs
        self._roster = roster
        self._pause_seconds = pause_seconds
        self._held: dict[str, Job] = {}  # the running jobs by claim
        self._renewed_at: dict[str, float] = {}  # when the lease was granted or renewed, by claim
        self._verdicts: dict[str, str] = {}  # why a running job must stop, by claim
        self._followed: set[str] = set()  # the claims of running jobs with a feed
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave the roster now, so that it does not show this worker until the worker's lease ends."""
        self._stopping.set()
        if self._thread.is_alive():  # the thread was never started if Redis was never reached
            self._thread.join()

    @contextmanager
    def holding(self, job: Job) -> Iterator[None]:
        """Renew the job's lease, which was granted just now, while the block runs."""
        with self._lock:
            self._held[job.claim] = job
            self._renewed_at[job.claim] = time.monotonic()
            if job.is_followed:
                self._followed.add(job.claim)
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(job.claim, None)
                self._renewed_at.pop(job.claim, None)
                self._verdicts.pop(job.claim, None)
                self._followed.discard(job.claim)

    @property
    def held(self) -> list[Job]:
        """The jobs that this process is running."""
        with self._lock:
            return list(self._held.values())

    def is_followed(self, job: Job) -> bool:
        """True if the job had a feed when its attempt began, or when its lease was last renewed."""
        return job.claim in self._followed

    def check(self, job: Job, unless_recent: bool = False) -> None:
        """Renew the job's lease and check that the attempt may continue.

        With `unless_recent`, do not ask Redis if the lease was granted or renewed in the last RECENT_SECONDS. While
        Redis is unreachable, the result of the last heartbeat counts. Raises LeaseLost if another attempt holds the
        job, Stopped if the job was canceled or has reached a deadline.
        """
        if not (unless_recent and time.monotonic() - self._renewed_at.get(job.claim, -math.inf) < RECENT_SECONDS):
            try:
                self._renew([job])
            except RedisError as error:
                log.warning("job %s: Redis is unreachable, continuing with the last known lease: %s", job.claim, error)
        verdict = self._verdicts.get(job.claim)
        if verdict == "lost":
            raise LeaseLost(job.claim)
        if verdict is not None:
            raise Stopped(verdict)

    def _run(self) -> None:
        while True:
            try:
                self._beat()
            except RedisError as error:
                log.warning("no heartbeat was sent, Redis is unreachable: %s", error)
            if self._stopping.wait(self._pause_seconds):
                break
        try:
            self._roster.leave()
        except RedisError as error:
            log.warning("Redis is unreachable, this worker stays in the roster until its lease ends: %s", error)

    def _beat(self) -> None:
        self._roster.enter()
        if held := self.held:
            self._renew(held)

    def _renew(self, held: Sequence[Job]) -> None:
        asked_at = time.monotonic()
        found = self._jobs.beat(held)
        with self._lock:
            claims = {job.claim for job in held} & self._held.keys()
            self._renewed_at.update(dict.fromkeys(claims, asked_at))
            followed = {claim for claim in claims if found.get(claim) == FOLLOWED}
            self._followed = self._followed - claims | followed
            self._verdicts.update((claim, found[claim]) for claim in claims & found.keys() - followed)

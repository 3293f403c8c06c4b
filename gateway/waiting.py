"""Hold a request until its job has ended."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from redis import RedisError

from configs.settings import Settings
from worker.connection import connect
from worker.job import Job
from worker.jobs import Jobs

log = logging.getLogger(__name__)

# Redis tells the end of a job to those who listen at that moment, and to nobody else; so look for yourself as well.
LOOK_AGAIN_SECONDS = 5.0
# Threads of a process that are never held, so that it still takes jobs and answers health checks.
FREE_THREADS = 8


class Waiting:
    """All waits of a process share one subscription and one thread that listens to it."""

    def __init__(self, jobs: Jobs, settings: Settings, leaving: threading.Event) -> None:
        self._jobs = jobs
        self._leaving = leaving
        self._settings = settings
        self._waiters: dict[str, set[threading.Event]] = defaultdict(set)
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(max(settings.gateway_threads - FREE_THREADS, 1))
        self._listener: threading.Thread | None = None
        self._is_listening = threading.Event()

    def until_terminal(self, job_id: str, seconds: float, may_be_early: bool = True) -> Job | None:
        """The job as soon as it has ended, or as it is after so many seconds; None if there is no such job.

        When too many are waiting already, the answer comes at once: better an early look than no thread for others.
        It comes early too when this process is to stop, if it `may_be_early`.
        """
        job = self._jobs.get(job_id)
        if job is None or job.status.is_terminal or seconds <= 0 or not self._places.acquire(blocking=False):
            return job
        try:
            with self._called_for(job_id) as called:
                return self._wait(job_id, called, time.monotonic() + seconds, may_be_early)
        finally:
            self._places.release()

    def _wait(self, job_id: str, called: threading.Event, deadline: float, may_be_early: bool) -> Job | None:
        while True:
            job = self._jobs.get(job_id)
            left = deadline - time.monotonic()
            if job is None or job.status.is_terminal or left <= 0 or (may_be_early and self._leaving.is_set()):
                return job
            called.wait(min(left, LOOK_AGAIN_SECONDS))

    @contextmanager
    def _called_for(self, job_id: str) -> Iterator[threading.Event]:
        called = threading.Event()
        with self._lock:
            self._waiters[job_id].add(called)
            if self._listener is None:  # not earlier: gunicorn forks after the application is made
                self._listener = threading.Thread(target=self._listen, name="done", daemon=True)
                self._listener.start()
        self._is_listening.wait(1)
        try:
            yield called
        finally:
            with self._lock:
                self._waiters[job_id].discard(called)
                if not self._waiters[job_id]:
                    del self._waiters[job_id]

    def _listen(self) -> None:
        while True:
            try:
                self._follow()
            except RedisError as error:
                log.warning("no news of finished jobs, Redis is away: %s", error)
                time.sleep(1)

    def _follow(self) -> None:
        with connect(self._settings).pubsub() as news:
            news.subscribe(f"{self._settings.redis_prefix}done")
            while True:
                message = news.get_message(timeout=LOOK_AGAIN_SECONDS)
                if message is not None and message["type"] == "subscribe":
                    self._is_listening.set()
                elif message is not None:
                    self._call(message["data"])

    def _call(self, job_id: str) -> None:
        with self._lock:
            for called in self._waiters.get(job_id, ()):
                called.set()

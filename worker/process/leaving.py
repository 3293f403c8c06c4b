"""The shutdown of a worker: it has some time to finish its running jobs, then hands the others back to the queue."""

from __future__ import annotations

import logging
import os
import threading

from redis import RedisError

from worker.job.jobs import Jobs
from worker.process.heartbeat import Heartbeat
from worker.process.roster import Roster

log = logging.getLogger(__name__)


def within(grace_seconds: float, jobs: Jobs, heartbeat: Heartbeat, roster: Roster) -> None:
    """After `grace_seconds`, hand back the jobs that still run, and end this process. Returns immediately."""
    log.info("stopping: running jobs have %g s to finish", grace_seconds)
    timer = threading.Timer(grace_seconds, _leave, [jobs, heartbeat, roster])
    timer.daemon = True
    timer.start()


def _leave(jobs: Jobs, heartbeat: Heartbeat, roster: Roster) -> None:
    try:
        for job in heartbeat.held:
            status = jobs.hand_back(job) or "held by another attempt, or final"
            log.warning("job %s: not finished in time, handed back; its status is now %s", job.claim, status)
        roster.leave()
    except RedisError as error:
        log.warning("Redis is unreachable, running jobs are requeued when their leases end: %s", error)
    # A running thread cannot be stopped from outside. Redis refuses any result that it still reports.
    os._exit(0)

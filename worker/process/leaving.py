"""A worker that was told to stop finishes what it has in hand, for a while; what is not done by then goes to others."""

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
    """Unless this process has ended by then, hand its jobs back and end it. Returns at once."""
    log.info("told to stop; jobs in hand have %g s", grace_seconds)
    timer = threading.Timer(grace_seconds, _leave, [jobs, heartbeat, roster])
    timer.daemon = True
    timer.start()


def _leave(jobs: Jobs, heartbeat: Heartbeat, roster: Roster) -> None:
    try:
        for job in heartbeat.held:
            log.warning("%s is not done and goes to another worker; now %s", job.claim, jobs.hand_back(job) or "there")
        roster.leave()
    except RedisError as error:
        log.warning("Redis is away, so the jobs in hand are found when their leases end: %s", error)
    # A thread that segments cannot be stopped from outside, and what it may still want to say is refused anyway.
    os._exit(0)

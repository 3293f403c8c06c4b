"""A worker that is to stop finishes its running jobs, for a while; those not done by then go to other workers."""

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
    log.info("stopping; running jobs have %g s", grace_seconds)
    timer = threading.Timer(grace_seconds, _leave, [jobs, heartbeat, roster])
    timer.daemon = True
    timer.start()


def _leave(jobs: Jobs, heartbeat: Heartbeat, roster: Roster) -> None:
    try:
        for job in heartbeat.held:
            log.warning("%s is not done and goes to another worker; now %s", job.claim, jobs.hand_back(job) or "there")
        roster.leave()
    except RedisError as error:
        log.warning("Redis is unreachable; the running jobs go to other workers when their leases end: %s", error)
    # A thread that segments cannot be stopped from outside; whatever it may still report is refused.
    os._exit(0)

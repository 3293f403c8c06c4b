"""The reaper: it requeues jobs and events that a process or a lost message left behind.

It has no state, so any number of reapers may run, and any of them may die.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from redis import RedisError

from worker.job.jobs import Jobs
from worker.job.left_behind import LeftBehind
from worker.webhook.events import Events

log = logging.getLogger(__name__)

Sweep = Callable[[], None]


def run(sweeps: Mapping[str, Sweep], sweep_seconds: float, stopping: threading.Event) -> None:
    """Repeat each sweep until `stopping` is set. While Redis is unreachable, the sweeps wait."""
    # One thread for each sweep: storage may be slow and there may be many events, and lost jobs must not wait for that.
    threads = [
        threading.Thread(target=_repeat, args=(sweep, sweep_seconds, stopping), name=name)
        for name, sweep in sweeps.items()
    ]
    for thread in threads:
        thread.start()
    stopping.wait()
    for thread in threads:
        thread.join()


def _repeat(sweep: Sweep, sweep_seconds: float, stopping: threading.Event) -> None:
    while not stopping.is_set():
        try:
            sweep()
        except RedisError as error:
            log.warning("the sweep is skipped, Redis is unreachable: %s", error)
        except Exception:  # an exception would end this thread, and the process would run on without this sweep
            log.exception("the sweep failed with an unexpected error, the next one is in %g s", sweep_seconds)
        stopping.wait(sweep_seconds)


def sweep(jobs: Jobs, left_behind: LeftBehind) -> None:
    """End every job that has reached a deadline, requeue every job that was left behind, and replace lost permits."""
    for job_id in left_behind.overdue():
        if status := jobs.expire(job_id):
            log.info("job %s: reached its deadline; its status is now %s", job_id, status)
    for found in left_behind.find():
        if status := left_behind.requeue(found):
            log.warning("job %s: was left behind in %s; its status is now %s", found.job_id, found.index, status)
    for queue, count in left_behind.replace_permits():
        log.warning("queue %s: %d messages were lost, new ones are sent", queue, count)


def sweep_events(events: Events) -> None:
    """Requeue every event that is due, or is held although its host has a free place."""
    events.admit()
    for event_id in events.due():
        if events.requeue(event_id):
            log.info("event %s: due, requeued", event_id)

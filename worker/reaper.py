"""What was left behind, put back. Stateless: any number of reapers may run, and any of them may die."""

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
    # In threads of their own: storage may be slow and events many, and a lost job should not wait for that.
    threads = [
        threading.Thread(target=_repeat, args=(look, sweep_seconds, stopping), name=name)
        for name, look in sweeps.items()
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
            log.warning("no sweep, Redis is unreachable: %s", error)
        except Exception:  # whatever it is, it must not end the thread without a word, and the others with their work
            log.exception("a sweep broke")
        stopping.wait(sweep_seconds)


def sweep(jobs: Jobs, left_behind: LeftBehind) -> None:
    """One look at every job that may have been left behind."""
    for job_id in left_behind.overdue():
        if status := jobs.expire(job_id):
            log.info("%s is out of time; now %s", job_id, status)
    for found in left_behind.find():
        if status := left_behind.requeue(found):
            log.warning("%s was left behind in %s; now %s", found.job_id, found.index, status)


def sweep_events(events: Events) -> None:
    """One look at every event that is due, or waits for a place that is free."""
    events.admit()
    for event_id in events.due():
        if events.requeue(event_id):
            log.info("%s is due", event_id)

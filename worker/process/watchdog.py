"""The watchdog: it ends a worker that hangs past its job's deadline, so that the supervisor starts a new one."""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.job.record import Job

log = logging.getLogger(__name__)

# EX_TEMPFAIL of sysexits.h: the failure is temporary, and the command should be started again.
EXIT_CODE = 75


@contextmanager
def watching(job: Job, grace_seconds: float) -> Iterator[None]:
    """End this process immediately if the block still runs `grace_seconds` after the job's `run_within_s`.

    By then a reaper has failed the job, and the code that hangs would occupy a thread or the device forever. The other
    jobs of the process are requeued when their leases end. A job without `run_within_s` is not watched, because no
    duration is too long for it.
    """
    deadline = job.request.deadline
    if deadline is None or deadline.run_within_s is None:
        yield
        return
    timer = threading.Timer(deadline.run_within_s + grace_seconds, _end_process, [job])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_process(job: Job) -> None:
    log.critical("job %s: still running long after its deadline, ending this worker for a restart", job.claim)
    faulthandler.dump_traceback()  # shows where each thread hangs
    os._exit(EXIT_CODE)

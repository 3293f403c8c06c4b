"""Puts a worker down that hangs in a job past the job's deadline, so that its supervisor starts it again."""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.job.record import Job

log = logging.getLogger(__name__)

# EX_TEMPFAIL of sysexits.h: nothing is wrong with the command; start it again.
EXIT_CODE = 75


@contextmanager
def watching(job: Job, grace_seconds: float) -> Iterator[None]:
    """Ends this process at once if the block still runs `grace_seconds` after the job's `run_within_s`.

    By then a reaper has failed the job, and whatever hangs would keep a thread, or the device, for ever. The other jobs
    of the process go to other workers when their leases end. A job without such a deadline is never watched: nobody
    has said how long is too long.
    """
    deadline = job.request.deadline
    if deadline is None or deadline.run_within_s is None:
        yield
        return
    timer = threading.Timer(deadline.run_within_s + grace_seconds, _put_down, [job])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _put_down(job: Job) -> None:
    log.critical("%s hangs long after its deadline; this process ends, to be started again", job.claim)
    faulthandler.dump_traceback()  # where each thread is, for whoever wants to know why
    os._exit(EXIT_CODE)

"""A worker that hangs past a job's deadline ends itself; other workers do not."""

from __future__ import annotations

import subprocess
import sys

import pytest

HANGS = """
import sys, time, uuid
from datetime import UTC, datetime
from tests.support.protocol import request
from worker.process import watchdog
from worker.job.record import Job, Status

deadline = {"run_within_s": 1.0} if sys.argv[1] == "deadline" else {}
job = Job("j", Status.RUNNING, request(**deadline), 1, datetime.now(UTC), None, None, None, "w", None, None, {}, None)
with watchdog.watching(job, 0.1):
    time.sleep(float(sys.argv[2]))
time.sleep(2)
"""


@pytest.mark.parametrize(
    ("deadline", "seconds", "code"),
    [("deadline", 600, 75), ("deadline", 0, 0), ("none", 1, 0)],
    ids=["the job hangs", "the job ended in time", "the job has no deadline"],
)
def test_a_process_ends_itself_only_long_after_a_deadline(deadline: str, seconds: float, code: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HANGS, deadline, str(seconds)], capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == code, ran.stderr
    assert ("job j/1: still running long after its deadline" in ran.stderr) == (code != 0)
    assert ("Thread" in ran.stderr) == (code != 0)  # the traceback shows where the job hangs

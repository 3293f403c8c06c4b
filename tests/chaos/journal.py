"""What each worker did, line by line, in a file that survives the worker."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worker.job.jobs import Jobs
from worker.job.record import Job

FOLDER = "CHAOS_JOURNALS"


@dataclass(frozen=True)
class Entry:
    """A move of a job. `word` is `begin` or the reported end of the attempt; `now` is the script's answer, '' if it
    refused.
    """

    pid: int
    at: float
    job_id: str
    attempt: int
    word: str
    now: str


class JournaledJobs(Jobs):
    """Records every claim, and every report of an attempt's end with its answer."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def begin(self, *args: Any, **kwargs: Any) -> Job | None:
        job = super().begin(*args, **kwargs)
        if job is not None:
            self._write(job, "begin", "running")
        return job

    def succeed(self, job: Job, *args: Any) -> str:
        return self._write(job, "succeed", super().succeed(job, *args))

    def fail(self, job: Job, *args: Any) -> str:
        return self._write(job, "fail", super().fail(job, *args))

    def retry_later(self, job: Job, *args: Any) -> str:
        return self._write(job, "retry_later", super().retry_later(job, *args))

    def _write(self, job: Job, word: str, now: str) -> str:
        assert job.started_at is not None
        entry = Entry(os.getpid(), job.started_at.timestamp(), job.shown_id, job.attempt, word, now)
        # the kernel has it now, so that it survives a kill -9
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")
        return now


def read(folder: Path) -> Iterator[Entry]:
    for file in folder.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            yield Entry(**json.loads(line))

"""What each worker did, line by line in a file that outlives it."""

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
    """`word` is `begin` or what was said of the attempt's end; `now` what the script answered: '' refuses."""

    pid: int
    at: float
    job_id: str
    attempt: int
    word: str
    now: str


class JournaledJobs(Jobs):
    """Writes down every claim, and every word about its end with the answer."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def begin(self, job_id: str, worker: str) -> Job | None:
        job = super().begin(job_id, worker)
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
        entry = Entry(os.getpid(), job.started_at.timestamp(), job.id, job.attempt, word, now)
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")  # in the kernel's hands: kill -9 keeps it
        return now


def read(folder: Path) -> Iterator[Entry]:
    for file in folder.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            yield Entry(**json.loads(line))

"""A job: the value that its record in Redis holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.job.request import JobRequest
from worker.store.clock import moment, moment_of

MESSAGE_CHARACTERS = 1000  # of an error, in a job's record


class Status(StrEnum):
    """queued -> running -> succeeded | failed | canceled; running -> queued when an attempt comes to nothing.

    queued -> canceled | expired too. docs/reliability.md has the table.
    """

    QUEUED = "queued"  # accepted; waits for a worker, or for its next try
    RUNNING = "running"  # held by one attempt, whose worker renews the lease
    SUCCEEDED = "succeeded"  # final: the result is in storage
    FAILED = "failed"  # final: `error` says why
    CANCELED = "canceled"  # final: the caller took it back
    EXPIRED = "expired"  # final: no worker began in the time that the caller gave

    @property
    def is_terminal(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True)
class JobError:
    """Why a job failed: `code` for programs, `message` for people, `field` of the request if one was at fault."""

    code: str
    message: str
    field: str | None = None

    def to_json(self) -> str:
        """For the record. A message may quote what a stranger's host said."""
        return json.dumps({"code": self.code, "message": self.message[:MESSAGE_CHARACTERS], "field": self.field})


@dataclass(frozen=True)
class Run:
    """What ran the network, and where the image's embedding came from: hit, shared or miss (`embeddings.Cache`)."""

    engine: str
    precision: str
    embedding_cache: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Job:
    """One reading of a job's record. `attempt` counts claims from 1 and is the fencing token of the last.

    `forgiven` of them came to nothing through nobody's fault, and do not count against the limit.
    """

    id: str
    status: Status
    request: JobRequest
    attempt: int
    accepted_at: datetime
    started_at: datetime | None = None
    cancel_requested_at: datetime | None = None  # while it ran; it ends as canceled soon
    completed_at: datetime | None = None
    worker: str | None = None
    files_prefix: str | None = None  # where the attempt that succeeded left its files
    image: dict[str, Any] | None = None  # width, height and format, once it was read
    timings_ms: dict[str, float] = field(default_factory=dict)
    error: JobError | None = None
    forgiven: int = 0
    run: Run | None = None  # once it has succeeded

    @classmethod
    def accepted(cls, job_id: str, request: JobRequest, accepted_at: str) -> Job:
        """A job whose record a script has just written."""
        return cls(job_id, Status.QUEUED, request, attempt=0, accepted_at=moment(accepted_at))

    @classmethod
    def from_record(cls, job_id: str, record: Mapping[str, str]) -> Job:
        return cls(
            id=job_id,
            status=Status(record["status"]),
            request=JobRequest.model_validate_json(record["request"]),
            attempt=int(record["attempt"]),
            accepted_at=moment(record["accepted_at"]),
            started_at=moment_of("started_at", record),
            cancel_requested_at=moment_of("cancel_requested_at", record),
            completed_at=moment_of("completed_at", record),
            worker=record.get("worker"),
            files_prefix=record.get("files_prefix"),
            image=json.loads(record["image"]) if "image" in record else None,
            timings_ms=json.loads(record.get("timings_ms", "{}")),
            error=JobError(**json.loads(record["error"])) if "error" in record else None,
            forgiven=int(record.get("forgiven", "0")),
            run=Run(**json.loads(record["run"])) if "run" in record else None,
        )

    @property
    def claim(self) -> str:
        """This attempt at this job; a process may meet both again, but never together."""
        return f"{self.id}/{self.attempt}"

    @property
    def attempt_prefix(self) -> str:
        """Where the current attempt leaves its files; another attempt never touches them."""
        return f"jobs/{self.claim}/"


def prefix_of(job_id: str) -> str:
    """Where everything of a job is stored."""
    return f"jobs/{job_id}/"

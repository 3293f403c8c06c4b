"""A job, as its record in Redis describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.job.request import JobRequest
from worker.store import tenant
from worker.store.clock import moment, moment_of

MESSAGE_CHARACTERS = 1000  # at most this many of an error's message, in a job's record


class Status(StrEnum):
    """queued -> running -> succeeded | failed | canceled; running -> queued after an attempt that did not end the job.

    Also queued -> canceled | expired. docs/reliability.md has the table.
    """

    QUEUED = "queued"  # accepted; waits for a worker, or for its next attempt
    RUNNING = "running"  # held by one attempt, whose worker renews the lease
    SUCCEEDED = "succeeded"  # final: the result is in storage
    FAILED = "failed"  # final: `error` says why
    CANCELED = "canceled"  # final: the client canceled it
    EXPIRED = "expired"  # final: no attempt started within the client's `start_within_s`

    @property
    def is_terminal(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True)
class JobError:
    """Why a job failed: `code` for programs, `message` for people, `field` if a field of the request caused it."""

    code: str
    message: str
    field: str | None = None

    def to_json(self) -> str:
        """Return the JSON for the record. The message is cut: it may quote a long answer of an unknown host."""
        return json.dumps({"code": self.code, "message": self.message[:MESSAGE_CHARACTERS], "field": self.field})


@dataclass(frozen=True)
class Run:
    """The engine and precision used, and where the embedding came from: hit, shared or miss (`embeddings.Cache`)."""

    engine: str
    precision: str
    embedding_cache: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Job:
    """A job's record as it was when it was read.

    `attempt` is the number of the last attempt, counted from 1, and its fencing token; 0 before the first attempt.
    `forgiven` attempts do not count against `max_attempts`: they ended in an outage, or because a worker stopped.
    """

    id: str
    status: Status
    request: JobRequest
    attempt: int
    accepted_at: datetime
    started_at: datetime | None = None
    cancel_requested_at: datetime | None = None  # set if the job was running then; it is canceled soon
    completed_at: datetime | None = None
    worker: str | None = None
    files_prefix: str | None = None  # the prefix of the attempt that succeeded
    image: dict[str, Any] | None = None  # width, height and format, once an attempt has read them
    timings_ms: dict[str, float] = field(default_factory=dict)
    error: JobError | None = None
    forgiven: int = 0
    run: Run | None = None  # set once an attempt has succeeded
    progress: dict[str, int] | None = None  # `done` of `total` parts, while an attempt runs everything mode or searches
    batch: str | None = None  # the id of the batch that the job is of
    item: str | None = None  # the id of the job's item in the batch
    is_followed: bool = False  # it had a feed when the attempt began
    mask_count: int = 0  # in the result; 0 until the job has succeeded
    document: str | None = field(
        default=None, repr=False, compare=False
    )  # of its result, if it was read with the record

    @classmethod
    def accepted(cls, job_id: str, request: JobRequest, accepted_at: str) -> Job:
        """Return the job whose record a script has just written."""
        return cls(job_id, Status.QUEUED, request, attempt=0, accepted_at=moment(accepted_at))

    @classmethod
    def from_record(cls, job_id: str, record: Mapping[str, str], document: str | None = None) -> Job:
        """Return the job that a record describes, with the document of its result if that was read, too.

        The record of a job that succeeded before `masks` existed has one mask for each prompt.
        """
        request = JobRequest.model_validate_json(record["request"])
        return cls(
            id=job_id,
            status=Status(record["status"]),
            request=request,
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
            progress=json.loads(record["progress"]) if "progress" in record else None,
            batch=record.get("batch"),
            item=record.get("item"),
            is_followed="followed" in record,
            mask_count=int(record.get("masks", len(request.prompts) if "files_prefix" in record else 0)),
            document=document,
        )

    @property
    def tenant(self) -> str:
        """Return the owner of the job."""
        return tenant.of(self.id)

    @property
    def shown_id(self) -> str:
        """Return the id as the owner sees it."""
        return tenant.shown(self.id)

    @property
    def image_hw(self) -> tuple[int, int]:
        """Return height and width of the upright image in pixels; zeros until an attempt has read them."""
        image = self.image or {}
        return image.get("height") or 0, image.get("width") or 0

    @property
    def claim(self) -> str:
        """Return the name of this attempt at this job. No other attempt has it, in this job or another."""
        return f"{self.id}/{self.attempt}"

    @property
    def attempt_prefix(self) -> str:
        """Return the prefix of the current attempt's files. No other attempt writes there."""
        return f"jobs/{self.claim}/"


def prefix_of(job_id: str) -> str:
    """Return the prefix of everything that is stored for a job."""
    return f"jobs/{job_id}/"

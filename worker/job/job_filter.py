"""Which jobs a client wants: those of a list, or those that one request cancels or deletes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from worker.job.record import Job, Status
from worker.job.request import Device, Priority
from worker.job.rfc3339 import Time


def values_by_key(value: object) -> object:
    """Check that the conditions for metadata have keys. For pydantic's BeforeValidator."""
    if not isinstance(value, Mapping):
        raise ValueError("needs a key: metadata.KEY=VALUE in a query, an object in JSON")
    return value


class JobFilter(BaseModel):
    """Conditions that a job must meet, all of them. Without any, every job meets them.

    `batch` is the id of a batch as the tenant sees it. `name` is the name of a prompt; one of the job's prompts must
    have it. `metadata` has values by key: a text also means the number, the boolean or the null that JSON writes like
    it, because a query has only texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status | None = None
    model: str | None = None
    batch: str | None = None
    device: Device | None = None
    priority: Priority | None = None
    name: str | None = None
    metadata: Annotated[dict[str, Any], BeforeValidator(values_by_key)] = Field(default={})
    accepted_after: Time = None  # at this time, or later
    accepted_before: Time = None  # not at this time

    @property
    def needs_records(self) -> bool:
        """True if some condition is not part of Redis's indexes, so that the records of jobs must be read."""
        of_record = (self.model, self.device, self.priority, self.name, self.batch and self.status)
        return bool(self.metadata) or any(value is not None for value in of_record)

    @property
    def is_empty(self) -> bool:
        """True if there is no condition."""
        spans = (self.batch, self.status, self.accepted_after, self.accepted_before)
        return not self.needs_records and all(value is None for value in spans)

    @cached_property
    def metadata_texts(self) -> Mapping[str, str]:
        """The values of `metadata` as texts. A value may be long, and is compared with those of a thousand jobs."""
        return {key: _text(value) for key, value in self.metadata.items()}

    def matches(self, job: Job) -> bool:
        """True if a job meets the conditions that are not part of Redis's indexes."""
        request = job.request
        return (
            (self.batch is None or self.status in (None, job.status))
            and self.model in (None, request.model)
            and self.device in (None, request.device)
            and self.priority in (None, request.priority)
            and (self.name is None or any(note.name == self.name for note in request.notes or ()))
            and all(
                key in request.metadata and _text(request.metadata[key]) == text
                for key, text in self.metadata_texts.items()
            )
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

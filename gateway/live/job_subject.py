"""A job as what a stream is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from gateway.live.message import Message
from gateway.live.subject import Present, Subject
from worker.job import description
from worker.job.event_type import ENDS
from worker.job.record import Job, Status
from worker.services import Services
from worker.store import feeds, tenant
from worker.store.feeds import Entry


class JobSubject(Subject):
    """One job. Its events have the job object of `GET /v1/jobs/{id}`, with the result."""

    state, deleted = "job.state", "job.deleted"

    def __init__(self, job_id: str, services: Services) -> None:
        self.feed = feeds.of_job(job_id)
        self.named = {"id": tenant.shown(job_id)}
        self._id = job_id
        self._services = services

    def present(self) -> Present | None:
        job = self._services.jobs.get_with_result(self._id) or self._services.archive.ended(self._id)
        return None if job is None else Present(self._described(job), job.status.is_terminal)

    def messages(self, entries: Sequence[Entry]) -> list[Message]:
        present = self.present() if any(not entry.data for entry in entries) else None
        return [self._message(entry, present) for entry in entries if entry.type]

    def _message(self, entry: Entry, present: Present | None) -> Message:
        if entry.data:
            return Message.of(entry.type, self.named | json.loads(entry.data), entry.id, entry.time)
        # A job that was read just now may be gone already: an ephemeral one, or one that was deleted.
        shown = self.named if present is None or entry.type == self.deleted else present.data
        return Message.of(entry.type, shown, entry.id, entry.time, entry.type in (*ENDS, self.deleted))

    def _described(self, job: Job) -> dict[str, Any]:
        place = self._services.jobs.place(job) if job.status is Status.QUEUED else None
        return description.describe_with_result(job, self._services.storage, place)

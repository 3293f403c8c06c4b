"""A job as what a stream is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gateway.live.message import Message
from gateway.live.subject import Present, Subject
from worker.job import description
from worker.job.event_type import ENDS
from worker.job.jobs import Place
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
        self._waiting: Job | None = None  # the job, if it was queued when it was last read
        self._place: Place | None = None  # the last one that was shown

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

    def moved(self) -> list[Message]:
        place = self._services.jobs.place(self._waiting) if self._waiting is not None else None
        if place is None or (self._place is not None and place.ahead == self._place.ahead):
            return []
        self._place = place
        return [Message.of("job.position", self.named | {"queue": asdict(place)})]

    def _described(self, job: Job) -> dict[str, Any]:
        self._waiting = job if job.status is Status.QUEUED else None
        self._place = self._services.jobs.place(job) if self._waiting is not None else None
        return description.describe_with_result(job, self._services.storage, self._place)

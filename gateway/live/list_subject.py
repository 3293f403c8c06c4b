"""Many jobs as what a stream is about: those of a batch, or those of a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.live.message import Message
from gateway.live.subject import Present, Subject
from worker.batch import description as batch_description
from worker.job import description
from worker.services import Services
from worker.store import feeds, tenant
from worker.store.feeds import Entry

ENDED = ("batch.completed", "batch.deleted")


class ListSubject(Subject):
    """Jobs as in a list, without results, and batches."""

    def __init__(self, feed: str, services: Services) -> None:
        self.feed = feed
        self._services = services

    def messages(self, entries: Sequence[Entry]) -> list[Message]:
        shown = {**self._jobs(entries), **self._batches(entries)}
        return [self._message(entry, shown) for entry in entries if entry.type]

    def _message(self, entry: Entry, shown: Mapping[tuple[str, str], Any]) -> Message:
        of, _, what = entry.type.partition(".")
        # What was read just now may be gone already.
        data = None if what == "deleted" else shown.get((of, entry.about))
        data = data or {"id": tenant.shown(entry.about)}
        return Message.of(entry.type, data, entry.id, entry.time, self._ends(entry))

    def _ends(self, entry: Entry) -> bool:
        """Return True if nothing follows this entry."""
        return False

    def _jobs(self, entries: Sequence[Entry]) -> dict[tuple[str, str], Any]:
        ids = {entry.about: None for entry in entries if entry.type.startswith("job.")}
        found = self._services.jobs.several(list(ids))
        return {("job", job_id): description.describe(job) for job_id, job in found.items()}

    def _batches(self, entries: Sequence[Entry]) -> dict[tuple[str, str], Any]:
        ids = {entry.about: None for entry in entries if entry.type.startswith("batch.")}
        found = {batch_id: self._services.batches.get(batch_id) for batch_id in ids}
        return {("batch", batch_id): batch_description.describe(batch) for batch_id, batch in found.items() if batch}


class BatchSubject(ListSubject):
    """One batch and the ends of its jobs."""

    state, deleted = "batch.state", "batch.deleted"

    def __init__(self, batch_id: str, services: Services) -> None:
        super().__init__(feeds.of_batch(batch_id), services)
        self.named = {"id": tenant.shown(batch_id)}
        self._id = batch_id

    def present(self) -> Present | None:
        batch = self._services.batches.get(self._id)
        if batch is None:
            return None
        return Present(batch_description.describe(batch, self._services.batches.eta_seconds(batch)), batch.has_ended)

    def _ends(self, entry: Entry) -> bool:
        return entry.type in ENDED


class TenantSubject(ListSubject):
    """All jobs and batches of a tenant."""

    state = "feed.state"

    def __init__(self, name: str, services: Services) -> None:
        super().__init__(feeds.of_tenant(name), services)
        self._prefix = tenant.prefix(name)

    def present(self) -> Present:
        keyspace = self._services.keyspace
        with keyspace.pipeline() as pipeline:
            for index in ("jobs:queued", "jobs:running", "batches:open"):
                pipeline.zcard(keyspace.key(self._prefix + index))
            queued, running, batches = pipeline.execute()
        return Present({"jobs": {"queued": queued, "running": running}, "batches": {"open": batches}}, False)

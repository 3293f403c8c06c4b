"""Check each promise against the evidence."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tests.chaos import batch
from tests.chaos.evidence import Evidence, number_of, prefix_of
from tests.chaos.order import EVENTS


@dataclass(frozen=True)
class Verdict:
    """The cases that broke a promise, by promise."""

    broken: Mapping[str, list[str]]

    @property
    def is_clean(self) -> bool:
        return not any(self.broken.values())

    def count(self, promise: str) -> int:
        return len(self.broken[promise])


def judge(seen: Evidence) -> Verdict:
    return Verdict(
        {
            "jobs lost": list(_lost(seen)),
            "wrong results": list(_wrong(seen)),
            "duplicate jobs for a key": list(_duplicates(seen)),
            "second event ids for a transition": list(_second_ids(seen)),
            "jobs without their webhook": list(_undelivered(seen)),
            "stale writes accepted": list(_stale(seen)),
            "usage miscounted": list(_miscounted(seen)),
            "faults of the batch": list(batch.broken(seen.batch)),
            "leases left over": [f"{count} in {index}" for index, count in seen.left_over.items() if count],
        }
    )


def _lost(seen: Evidence) -> Iterator[str]:
    """Yield accepted jobs that are missing or did not succeed."""
    status = {job["id"]: (job["status"], job["error"]) for job in seen.jobs}
    for n, ids in seen.accepted.items():
        for job_id in ids:
            if status.get(job_id, ("gone", None))[0] != "succeeded":
                yield f"job {n} ({job_id}): {status.get(job_id)}"


def _wrong(seen: Evidence) -> Iterator[str]:
    by_id = {job["id"]: job for job in seen.jobs}
    for job_id, document in seen.documents.items():
        if not number_of(by_id[job_id]).is_answered_by_document(document, job_id):
            yield f"{job_id}: result.json"
    for job_id, picture in seen.pictures.items():
        expected = number_of(by_id[job_id]).mask * 255
        if picture is None or not np.array_equal(np.asarray(Image.open(io.BytesIO(picture))), expected):
            yield f"{job_id}: masks/0000.png"
    for job in seen.jobs:
        if job["progress"] is not None:
            yield f"{job['id']}: it has ended and still has a progress"
    for delivery in seen.deliveries:
        if not delivery.is_signed:
            yield f"{delivery.event_id}: signature"
        if delivery.type == "job.succeeded" and not number_of(delivery.about).is_answered_by(delivery.about["result"]):
            yield f"{delivery.event_id}: result"


def _duplicates(seen: Evidence) -> Iterator[str]:
    """Yield keys with more than one job, even if no client received the id of the second."""
    ids = defaultdict(set, {n: set(given) for n, given in seen.accepted.items()})
    for job in seen.jobs:
        ids[number_of(job).n].add(job["id"])
    yield from (f"job {n}: {', '.join(sorted(same))}" for n, same in ids.items() if len(same) > 1)


def _second_ids(seen: Evidence) -> Iterator[str]:
    """Yield events that were delivered under two ids, or with different contents."""
    ids, ends = defaultdict(set), defaultdict(set)
    for delivery in seen.deliveries:
        ids[delivery.about["id"], delivery.type].add(delivery.event_id)
        if delivery.type == "job.succeeded":
            ends[delivery.about["id"]].add((delivery.about["attempt"], delivery.about["completed_at"]))
    yield from (f"{what}: {', '.join(sorted(same))}" for what, same in ids.items() if len(same) > 1)
    yield from (f"{job_id} ended as {sorted(same)}" for job_id, same in ends.items() if len(same) > 1)


def _undelivered(seen: Evidence) -> Iterator[str]:
    accepted = {(delivery.about["id"], delivery.type) for delivery in seen.deliveries if delivery.was_accepted}
    for job in seen.jobs:
        yield from (f"{job['id']} {event}" for event in EVENTS if (job["id"], event) not in accepted)


def _stale(seen: Evidence) -> Iterator[str]:
    """Yield accepted reports of an attempt when a later attempt had begun, before or after."""
    last = {job["id"]: job for job in seen.jobs}
    begun: dict[str, int] = defaultdict(int)
    for entry in seen.entries:
        begun[entry.job_id] = max(begun[entry.job_id], entry.attempt)
    for entry in seen.entries:
        if entry.word == "succeed" and entry.now and entry.attempt != begun[entry.job_id]:
            yield f"{entry.job_id}: attempt {entry.attempt} of {begun[entry.job_id]} ended it"
    for job_id, job in last.items():
        if job["status"] == "succeeded" and not _is_of_last_attempt(job):
            yield f"{job_id}: {job['files']['result']['key']} of attempt {job['attempt']}"


def _miscounted(seen: Evidence) -> Iterator[str]:
    """Yield what was counted of a tenant and is not what its jobs are."""
    for name, used in seen.usage.items():
        jobs = [job for job in seen.jobs if number_of(job).tenant == name]
        statuses = Counter(job["status"] for job in jobs)
        expected = {
            "accepted": len(jobs),
            **{status: statuses[status] for status in ("succeeded", "failed", "canceled")},
        }
        counted = {what: used["total"][what] for what in expected}
        if counted != expected:
            yield f"{name}: {counted}, but {expected}"
        if used["stored_bytes"] != seen.stored_bytes[name]:
            yield f"{name}: {used['stored_bytes']} bytes, but {seen.stored_bytes[name]}"


def _is_of_last_attempt(job: Mapping[str, Any]) -> bool:
    return bool(job["files"]["result"]["key"] == f"{prefix_of(job)}result.json")

"""Reads lists of jobs, newest first, with a limited amount of work for each page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from worker.job.job_filter import JobFilter
from worker.job.record import Job
from worker.store import tenant
from worker.store.clock import microseconds
from worker.store.keyspace import Keyspace

# A page reads a few records at a time and stops after this many bytes: one record may have half a megabyte.
LISTED_BYTES = 1_000_000
READ_AT_ONCE = 20
# It also stops after this many records if few of them meet the conditions. They are read in about 50 ms.
MAX_READ = 1000


def page(
    keyspace: Keyspace, owner: str, wanted: JobFilter, limit: int, before: str | None
) -> tuple[list[Job], str | None]:
    """Return up to `limit` jobs of a tenant, newest first, and the cursor for older ones (None if there are none).

    Pass that cursor as `before`. The page is shorter, and may be empty, if LISTED_BYTES or MAX_READ is reached.
    """
    rows, has_more = keyspace.page(
        _index(owner, wanted), MAX_READ if wanted.needs_records else limit, *_span(wanted, before)
    )
    jobs: list[Job] = []
    read = 0
    for job_id, record in _records(keyspace, [job_id for job_id, _ in rows]):
        read += 1
        job = Job.from_record(job_id, record) if record else None  # None: it was erased just now
        if job is not None and wanted.matches(job):
            jobs.append(job)
        if len(jobs) == limit:
            break
    return jobs, rows[read - 1][1] if has_more or read < len(rows) else None


def several(keyspace: Keyspace, ids: Sequence[str]) -> Iterator[tuple[str, Job]]:
    """Yield those of these jobs that exist."""
    for start in range(0, len(ids), READ_AT_ONCE):
        some = ids[start : start + READ_AT_ONCE]
        for job_id, record in zip(some, _read(keyspace, some), strict=True):
            if record:
                yield job_id, Job.from_record(job_id, record)


def _index(owner: str, wanted: JobFilter) -> str:
    """Return the name of an index that has the jobs. That of a batch also has jobs of another status."""
    if wanted.batch is not None:
        return f"batch_jobs:{tenant.owned(owner, wanted.batch)}"
    return tenant.prefix(owner) + (f"jobs:{wanted.status}" if wanted.status else "jobs")


def _span(wanted: JobFilter, before: str | None) -> tuple[str | None, str | None]:
    """Return the scores before and since which jobs are listed."""
    ends = [end for end in (before, _score(wanted.accepted_before)) if end is not None]
    return min(ends, key=int, default=None), _score(wanted.accepted_after)


def _score(time: datetime | None) -> str | None:
    return None if time is None else str(microseconds(time))


def _records(keyspace: Keyspace, ids: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the records of these jobs, until they have LISTED_BYTES in all; an empty one for a job that is gone."""
    size = 0
    for start in range(0, len(ids), READ_AT_ONCE):
        some = ids[start : start + READ_AT_ONCE]
        records = _read(keyspace, some)
        yield from zip(some, records, strict=True)
        size += sum(len(value) for record in records for value in record.values())
        if size >= LISTED_BYTES:
            return


def _read(keyspace: Keyspace, ids: Sequence[str]) -> list[dict[str, str]]:
    with keyspace.pipeline() as pipeline:
        for job_id in ids:
            pipeline.hgetall(keyspace.key(f"job:{job_id}"))
        found: list[dict[str, str]] = pipeline.execute()
    return found

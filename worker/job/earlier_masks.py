"""Masks in the results of earlier jobs, which a request can name as prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from ovseg_core.errors import OvsegError
from worker.job import mask_name, result_document
from worker.job.archive import Archive
from worker.job.client_text import brief
from worker.job.jobs import Jobs
from worker.job.record import Job, Status
from worker.store import tenant
from worker.store.storage import ObjectMissing, Storage

# A request may name masks of this many jobs: for each of them a result is read, which may have megabytes.
MAX_JOBS = 8

# From a job's id to its `masks`, in PaddleX's RLE, each with a `name` if there is a name for its object.
MasksOf = Callable[[str], Sequence[Mapping[str, Any]]]


class EarlierMasks:
    """Reads the masks of jobs that have succeeded. Thread-safe."""

    def __init__(self, jobs: Jobs, archive: Archive, storage: Storage) -> None:
        self._jobs = jobs
        self._archive = archive
        self._storage = storage

    def of(self, owner: str, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Return the masks of a tenant's job: {"rleResult": counts, "size": [height, width]} each.

        A mask also has a `name` if there is a name for its object, see `mask_name`.

        Raises OvsegError `mask_not_found`: there is no such job, it has not succeeded, or its result has no RLE or is
        no longer in storage.
        """
        owned_id = tenant.owned(owner, job_id)
        job = self._jobs.get_with_result(owned_id) or self._archive.ended(owned_id)
        if job is None:
            raise not_found(f"there is no job {brief(job_id)!r}")
        if job.status is not Status.SUCCEEDED:
            raise not_found(f"the job {job_id} is {job.status}; only a job that has succeeded has masks")
        if "rle" not in job.request.outputs:
            raise not_found(f"the job {job_id} has no RLE: `outputs` of its request lacks rle")
        if job.request.ephemeral and job.document is None:
            raise not_found(f"the result of the ephemeral job {job_id} is gone")
        return self._read(job)

    def _read(self, job: Job) -> Sequence[Mapping[str, Any]]:
        try:
            result = result_document.read_result(job, self._storage)
        except ObjectMissing:
            raise not_found(f"the result of the job {job.shown_id} is no longer in storage") from None
        infos = chain(result.get("maskInfos", ()), repeat({}))  # a mask without any is a prompt too, without a name
        return [{**mask, **_name(info)} for mask, info in zip(result["masks"], infos, strict=False)]


def _name(info: Mapping[str, Any]) -> dict[str, str]:
    name = mask_name.of(info)
    return {} if name is None else {"name": name}


def not_found(message: str, field: str = "mask.job") -> OvsegError:
    return OvsegError("mask_not_found", message, field)


def none(job_id: str) -> Sequence[Mapping[str, Any]]:
    """Do as `EarlierMasks.of` where no jobs are known."""
    raise not_found(f"there is no job {brief(job_id)!r}")


def of_few_jobs(masks_of: MasksOf) -> MasksOf:
    """Return a function that looks up each job once, and refuses more than MAX_JOBS of them (`invalid_prompt`).

    Jobs without masks count too: to look for a job that does not exist takes calls to Redis and to storage.
    """
    known: dict[str, Sequence[Mapping[str, Any]] | OvsegError] = {}

    def masks(job_id: str) -> Sequence[Mapping[str, Any]]:
        if job_id not in known:
            if len(known) >= MAX_JOBS:
                message = f"the prompts of one job may name masks of at most {MAX_JOBS} other jobs"
                raise OvsegError("invalid_prompt", message, "mask.job")
            try:
                known[job_id] = masks_of(job_id)
            except OvsegError as error:
                known[job_id] = error
        found = known[job_id]
        if isinstance(found, OvsegError):
            raise OvsegError(found.code, found.message, found.field)
        return found

    return masks

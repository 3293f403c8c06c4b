"""Finds, cancels and deletes jobs of the caller, for the routes of one job and of many jobs."""

from __future__ import annotations

from gateway.caller import caller
from gateway.client_id import CLIENT_ID
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job.client_text import brief
from worker.job.record import Job, Status


def found(job_id: str) -> Job:
    """Return a job, from Redis or the archive. Raises OvsegError `not_found`."""
    return services().jobs.get(caller().owned(job_id)) or archived(job_id)


def archived(job_id: str) -> Job:
    """Return a job that has ended and is no longer in Redis. Raises OvsegError `not_found`."""
    job = services().archive.ended(caller().owned(job_id)) if CLIENT_ID.fullmatch(job_id) else None
    if job is None:
        raise not_found(job_id)
    return job


def cancel(job_id: str) -> str:
    """Cancel a job. Return its status: `canceled`, now or before; or `running`, and its worker stops soon.

    Raises OvsegError `not_found`, `job_already_final`.
    """
    status = services().jobs.cancel(caller().owned(job_id))
    if not status:
        raise not_found(job_id)
    if status not in (Status.CANCELED, Status.RUNNING):
        raise OvsegError("job_already_final", f"the job has already ended ({status}) and cannot be canceled")
    return status


def delete(job_id: str, files_later: bool = False) -> str:
    """Delete the record, the image and the files of a job. Return `deleted`. See `Erasure.erase`.

    Raises OvsegError `not_found`, `job_running`.
    """
    status = services().erasure.erase(caller().owned(job_id), files_later) if CLIENT_ID.fullmatch(job_id) else ""
    if not status:
        raise not_found(job_id)
    if status == Status.RUNNING:
        raise OvsegError("job_running", "a worker is running the job: cancel it first, and delete it once it has ended")
    return "deleted"


def not_found(job_id: str) -> OvsegError:
    return OvsegError("not_found", f"there is no job {brief(job_id)!r}")

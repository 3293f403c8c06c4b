"""What a route that answers with a job's result does with the job when it has ended, or the time is over."""

from __future__ import annotations

from ovseg_core.errors import OvsegError
from worker.job.record import Job, Status

# The codes of the problems that `succeeded` and reading the result raise, except those of a failed job.
CODES = ("canceled", "input_gone", "internal_error", "result_gone", "timeout", "worker_lost")


def succeeded(job_id: str, job: Job | None) -> Job:
    """Return the job if it has succeeded. Raises OvsegError otherwise."""
    if job is None or job.status in (Status.CANCELED, Status.EXPIRED):
        raise OvsegError("canceled", f"the job {job_id} was canceled, or deleted, by another request")
    if not job.status.is_terminal:
        raise OvsegError("timeout", f"the job {job_id} has not ended yet; get its result from /v1/jobs/{job_id}")
    if job.status is Status.FAILED and job.error is not None:
        raise OvsegError(job.error.code, job.error.message, job.error.field)
    return job

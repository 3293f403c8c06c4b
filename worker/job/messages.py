"""The messages of a job that the scripts put into Celery's queues."""

from __future__ import annotations

from celery import Celery

from worker.job.record import Job, Status
from worker.job.request import JobRequest
from worker.store import queue, tenant


def permit(app: Celery, request: JobRequest) -> str:
    """Return a permit for the queue of the request's device."""
    return queue.permit(app, queue.QUEUE_OF_DEVICE[request.device])


def of_end(app: Celery, job: Job, status: Status) -> str:
    """Return the message that makes a sender notify the job's own webhook of its final status; '' without a webhook."""
    if job.request.webhook is None:
        return ""
    return queue.message(
        app, queue.DELIVER, queue.WEBHOOK_QUEUE, tenant.owned(job.tenant, f"evt_{job.shown_id}_{status}")
    )

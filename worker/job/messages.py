"""A job's messages in Celery's queues, which the scripts put there."""

from __future__ import annotations

from celery import Celery

from worker.job.record import Job, Status
from worker.store import queue


def of_job(app: Celery, job: Job) -> str:
    """For a worker: try this job."""
    return queue.message(app, queue.SEGMENT, queue.QUEUE_OF_DEVICE[job.request.device], job.id)


def of_end(app: Celery, job: Job, status: Status) -> str:
    """For a sender: notify the job's own webhook that the job has this status now; '' if it has no webhook."""
    if job.request.webhook is None:
        return ""
    return queue.message(app, queue.DELIVER, queue.WEBHOOK_QUEUE, f"evt_{job.id}_{status}")

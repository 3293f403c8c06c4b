"""Accepts a request as a new job, and answers with the job object."""

from __future__ import annotations

from flask import Response, jsonify, url_for

from gateway.services import services
from worker.job import acceptance, description
from worker.job.idempotency import Once
from worker.job.record import Job
from worker.job.request import JobRequest

Answer = tuple[Response, int, dict[str, str]]

NO_SCOPE = ""  # all callers share one scope for idempotency keys, until API keys identify the callers


def submitted(job_request: JobRequest, image: bytes | None, key: str | None, purpose: str = "") -> Answer:
    """Accept a job and return the answer: the new job, or the job that was accepted before under the same key.

    The same key for another `purpose` is another key.
    """
    job_id = acceptance.new_id()
    once = Once.by_key(NO_SCOPE + purpose, key, job_request) if key is not None else None
    job, _ = services().acceptance.accept(job_id, job_request, image, once)
    answer, status, headers = accepted(job, 202)
    return answer, status, headers if job.id == job_id else {**headers, "Idempotency-Replayed": "true"}


def accepted(job: Job, status: int) -> Answer:
    return jsonify(description.describe(job)), status, {"Location": url_for("jobs.show", job_id=job.id)}

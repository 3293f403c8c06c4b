"""Accepts a request as a new job, and answers with the job object: now, or once the job has ended."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from http import HTTPStatus

from flask import jsonify, url_for
from flask.typing import ResponseReturnValue

from gateway import wait_time
from gateway.answers.job import JobObject
from gateway.caller import caller
from gateway.installed import Installed
from gateway.operation import LOCATION, Answer, Header
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job import acceptance, description, image_object
from worker.job.idempotency import Once
from worker.job.image_object import SentImages
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.store import tenant

REPLAYED = Header("Idempotency-Replayed", "`true` if the job was accepted before under the same Idempotency-Key.")
HEADERS = (LOCATION, REPLAYED, wait_time.APPLIED)
ANSWERS = {
    200: Answer("The job has ended while the request waited. Check its `status`.", JobObject, HEADERS),
    202: Answer("The job is accepted.", JobObject, HEADERS),
}


def submitted(job_request: JobRequest, image: bytes | None, key: str | None, purpose: str = "") -> ResponseReturnValue:
    """Accept a job and return the answer: the new job, or the job that was accepted before under the same key.

    The same key for another `purpose` is another key.
    """
    job_id = caller().owned(acceptance.new_id())
    once = Once.by_key(tenant.prefix(caller().tenant) + purpose, key, job_request) if key is not None else None
    with services().waiting.expecting(job_id):
        job, _ = accept(job_id, job_request, image, once)
        return accepted(job, HTTPStatus.ACCEPTED, {} if job.id == job_id else {"Idempotency-Replayed": "true"})


def accept(job_id: str, job_request: JobRequest, image: bytes | None, once: Once | None) -> tuple[Job, bool]:
    """Accept a job as `Acceptance.accept` does, and remember its image for requests that name it by its digest.

    The prompts count even if the job is not accepted then, or was accepted before. Raises also OvsegError
    `image_not_found`, and as `Installed.check`.
    """
    Installed().check(job_request)
    services().rate_limits.count_prompts(job_request.cost.prompts)
    try:
        job, is_new = services().acceptance.accept(job_id, job_request, image, once)
    except image_object.ImageUnknown:
        # It was stored there when this process found it last, and may have been sent again since.
        job_request = _found_again(job_request)
        job, is_new = services().acceptance.accept(job_id, job_request, image, once)
    # An image that was named by its digest is remembered already. That of an ephemeral job is soon gone.
    if job.request.image.owner == job.id and not job.request.ephemeral:
        services().known_images.remember(caller().tenant, job.request.image)
    return job, is_new


def _found_again(job_request: JobRequest) -> JobRequest:
    """Return a request that names its image where it is stored now. Raises OvsegError `image_not_found`."""
    content = job_request.image.content
    source = None if content is None else services().known_images.find(caller().tenant, content.sha256)
    if source is None:
        raise image_object.unknown_digest()
    return job_request.model_copy(update={"image": source})


def sent_images_now() -> SentImages:
    """Return what finds the images that the caller's tenant sent before."""
    owner = caller().tenant
    return SentImages(owner, partial(services().known_images.find, owner), partial(services().uploads.image, owner))


def sent_images() -> SentImages:
    """Do the same for a request that `accept` takes, which notices if an image with a digest is unknown by now."""
    return replace(sent_images_now(), by_digest=partial(services().known_images.recall, caller().tenant))


def accepted(job: Job, status: HTTPStatus, headers: dict[str, str]) -> ResponseReturnValue:
    """Answer with a job that was accepted, now or before; `status` is for a client that does not ask to wait.

    If it does, the answer is held: 200 with the result once the job has ended, 202 when the time is over before. The
    view takes a WaitQuery.
    """
    headers = {"Location": url_for("jobs.show", job_id=job.shown_id), **headers}
    wait = wait_time.of_request()
    if wait is None:
        return jsonify(description.describe(job)), status, headers
    job_id = job.id  # a held answer keeps no job in memory: it has up to half a megabyte
    headers |= wait.headers

    def answer(found: Job | None) -> ResponseReturnValue:
        found = found or services().archive.ended(job_id)
        if found is None:
            raise OvsegError(
                "job_deleted", f"the job {tenant.shown(job_id)} was accepted, and was deleted by another request"
            )
        described = description.describe_with_result(found, services().storage)
        return jsonify(described), HTTPStatus.OK if found.status.is_terminal else HTTPStatus.ACCEPTED, headers

    return services().waiting.answer(job_id, wait.seconds, answer, job=job)

"""Submit, look, wait, list, cancel, try again, erase."""

from __future__ import annotations

import re
from typing import Annotated

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator
from werkzeug.http import parse_list_header

from gateway import body, idempotency_key, origin, paging, query
from gateway.paging import PageQuery
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.job import acceptance, description, parsing
from worker.job.idempotency import Once
from worker.job.record import Job, Status
from worker.job.request import JobRequest
from worker.job.validation import brief
from worker.store.clock import microseconds

blueprint = Blueprint("jobs", __name__, url_prefix="/v1/jobs")

# What a client may call its job; a UUID of version 7 is what we call one.
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
OUR_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
WAIT = re.compile(r"wait\s*=\s*\"?([0-9]{1,9})\"?\s*(;|$)", re.IGNORECASE)  # a preference, perhaps with parameters
NO_SCOPE = ""  # all callers are one, until they have keys to be told apart by


def _seconds(text: str) -> float:
    longest = services().settings.max_wait_seconds
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", text) or float(text) > longest:
        raise ValueError(f"must be a number of seconds from 0 to {longest:g}")
    return float(text)


class LookQuery(query.Query):
    wait: Annotated[float, BeforeValidator(_seconds)] | None = None


class JobsQuery(PageQuery):
    status: Status | None = None


@blueprint.post("")
@origin.takes_form
def submit() -> tuple[Response, int, dict[str, str]]:
    """Accept a job: 202 with its object at once, whatever the work takes. Once, if the client gave a key."""
    key = idempotency_key.of_request()
    fields, image_file = body.read()
    job_request, image = parsing.parse(fields, image_file, services().settings)
    return submitted(job_request, image, NO_SCOPE, key)


@blueprint.put("/<job_id>")
@origin.takes_form
def create(job_id: str) -> tuple[Response, int, dict[str, str]]:
    """Accept a job under an id that the client chose: 202, or 200 where it was accepted before."""
    _check_client_id(job_id)
    fields, image_file = body.read()
    job_request, image = parsing.parse(fields, image_file, services().settings)
    job, is_new = services().acceptance.accept(job_id, job_request, image, Once.by_id(job_request))
    return _accepted(job, 202 if is_new else 200)


@blueprint.get("/<job_id>")
@query.takes(LookQuery)
def look(job_id: str) -> ResponseReturnValue:
    """The job object; held until the job has ended where the client says how long it would wait."""
    seconds, is_preference = _patience()

    def answer(job: Job | None) -> Response:
        response = jsonify(description.describe_with_result(job or _archived(job_id), services().storage))
        if is_preference:
            response.headers["Preference-Applied"] = f"wait={seconds:g}"
        return response

    return services().waiting.answer(job_id, seconds, answer)


@blueprint.post("/<job_id>/cancel")
def cancel(job_id: str) -> tuple[Response, int]:
    """200 once it is canceled, now or before; 202 where a worker has it in hand and will stop before its next stage."""
    status = services().jobs.cancel(job_id)
    job = services().jobs.get(job_id)
    if not status or job is None:
        raise _not_found(job_id)
    if status not in (Status.CANCELED, Status.RUNNING):
        raise OvsegError("job_already_final", f"the job has {status} already; there is nothing left to cancel")
    return jsonify(description.describe(job)), 202 if status == Status.RUNNING else 200


@blueprint.post("/<job_id>/retry")
def retry(job_id: str) -> tuple[Response, int, dict[str, str]]:
    """A new job that asks for the same as one that has ended, of the same image. Once, if the client gave a key."""
    key = idempotency_key.of_request()
    job = services().jobs.get(job_id) or _archived(job_id)
    if not job.status.is_terminal:
        raise OvsegError("job_not_final", f"the job is {job.status}; what has not ended cannot be tried again")
    return submitted(job.request, services().acceptance.image_of(job), f"{NO_SCOPE}retry of {job_id}", key)


@blueprint.delete("/<job_id>")
def erase(job_id: str) -> tuple[str, int]:
    """Record, input and files of a job that is not in a worker's hands."""
    status = services().erasure.erase(job_id) if CLIENT_ID.fullmatch(job_id) else ""
    if not status:
        raise _not_found(job_id)
    if status == Status.RUNNING:
        raise OvsegError("job_running", "a worker has the job in hand: cancel it first, delete it when it has ended")
    return "", 204


@blueprint.get("")
@query.takes(JobsQuery)
def page() -> Response:
    """Jobs, newest first, without their results; `next_cursor` leads to older ones."""
    asked = query.of(JobsQuery)
    jobs, next_cursor = services().jobs.list(asked.status, asked.limit, asked.cursor)
    shown, next_cursor = paging.page(
        jobs, description.describe, lambda n: str(microseconds(jobs[n - 1].accepted_at)), next_cursor
    )
    return jsonify({"jobs": shown, "next_cursor": next_cursor})


def submitted(
    job_request: JobRequest, image: bytes | None, scope: str, key: str | None
) -> tuple[Response, int, dict[str, str]]:
    """The answer to a submission: a new job, or the one that was accepted under the same key before."""
    job_id = acceptance.new_id()
    once = Once.by_key(scope, key, job_request) if key is not None else None
    job, _ = services().acceptance.accept(job_id, job_request, image, once)
    answer, status, headers = _accepted(job, 202)
    return answer, status, headers if job.id == job_id else {**headers, "Idempotency-Replayed": "true"}


def _accepted(job: Job, status: int) -> tuple[Response, int, dict[str, str]]:
    return jsonify(description.describe(job)), status, {"Location": url_for("jobs.look", job_id=job.id)}


def _check_client_id(job_id: str) -> None:
    if not CLIENT_ID.fullmatch(job_id):
        raise OvsegError("invalid_value", "must be 1 to 64 letters, digits, - or _", "id")
    if OUR_ID.fullmatch(job_id):
        raise OvsegError("invalid_value", "UUIDs of version 7 are the service's own; use another version", "id")


def _archived(job_id: str) -> Job:
    """A job that has ended and that Redis has lost."""
    job = services().archive.ended(job_id) if CLIENT_ID.fullmatch(job_id) else None
    if job is None:
        raise _not_found(job_id)
    return job


def _not_found(job_id: str) -> OvsegError:
    return OvsegError("not_found", f"there is no job {brief(job_id)!r}")


def _patience() -> tuple[float, bool]:
    """Seconds to hold the answer: `?wait=`, or RFC 7240's `Prefer: wait=`, which is a wish and is cut to the limit."""
    wait = query.of(LookQuery).wait
    if wait is not None:
        return wait, False
    for preference in parse_list_header(request.headers.get("Prefer", "")):
        wish = WAIT.match(preference)
        if wish:
            return min(float(wish[1]), services().settings.max_wait_seconds), True
    return 0.0, False

"""The routes of jobs: submit, show, wait, list, cancel, retry, delete, and show the deliveries of webhooks."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from gateway import (
    auth,
    body,
    client_id,
    etag,
    events,
    idempotency_key,
    job_changes,
    job_codes,
    job_examples,
    operation,
    paging,
    query,
    submission,
    wait_time,
)
from gateway.answers.event import EventPage
from gateway.answers.job import JobFiles, JobObject, JobPage
from gateway.caller import caller
from gateway.job_changes import archived, not_found
from gateway.jobs_query import JobsQuery
from gateway.operation import Answer, Operation
from gateway.paging import PageQuery
from gateway.services import services
from gateway.text_fields import Texts
from gateway.wait_time import WaitQuery
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job import description, parsing
from worker.job.idempotency import Once
from worker.job.record import Job, Status
from worker.job.request import JobRequest
from worker.store.clock import microseconds

blueprint = Blueprint("jobs", __name__, url_prefix=description.JOBS)


class DeliveriesQuery(PageQuery):
    limit: Annotated[int, query.whole_number(1, paging.MAX_LIMIT)] = paging.MAX_LIMIT


@blueprint.post("")
@auth.needs(Scope.JOBS_WRITE)
@body.takes(body.WITH_IMAGE)
@query.takes(WaitQuery)
@query.takes_with_image(Texts)
@operation.describes(
    Operation(
        "Submit a job",
        submission.ANSWERS,
        job_codes.OF_JOB,
        parsing.JobFields,
        job_examples.JOBS,
        (idempotency_key.HEADER,),
    )
)
def submit() -> ResponseReturnValue:
    """Accept a job: 202 with its object, before any work is done. A repeated Idempotency-Key makes no second job.

    If the client asks to wait, the answer is held until the job has ended: 200 with its result.
    """
    key = idempotency_key.of_request()
    job_request, image = _request()
    return submission.submitted(job_request, image, key)


@blueprint.put("/<job_id>")
@auth.needs(Scope.JOBS_WRITE)
@body.takes(body.WITH_IMAGE)
@query.takes(WaitQuery)
@query.takes_with_image(Texts)
@operation.describes(
    Operation(
        "Submit a job under an id of your own",
        {
            200: Answer(
                "The job was accepted before, or has ended while the request waited.", JobObject, submission.HEADERS
            ),
            202: Answer("The job is accepted.", JobObject, submission.HEADERS),
        },
        (*job_codes.OF_JOB, "id_taken"),
        parsing.JobFields,
        job_examples.JOBS,
    )
)
def create(job_id: str) -> ResponseReturnValue:
    """Accept a job under an id that the client chose: 202, or 200 if it was accepted before. It waits as `submit`."""
    client_id.check(job_id)
    job_request, image = _request()
    job, is_new = submission.accept(caller().owned(job_id), job_request, image, Once.by_id(job_request))
    return submission.accepted(job, HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK, {})


@blueprint.get("/<job_id>")
@auth.needs(Scope.JOBS_READ)
@query.takes(WaitQuery)
@operation.describes(
    Operation(
        "Read a job, or wait for it",
        {
            200: Answer("The job as it is now.", JobObject, (operation.ETAG, wait_time.APPLIED)),
            304: Answer("The job has not changed.", None, (operation.ETAG, wait_time.APPLIED)),
        },
        ("not_found",),
        headers=(operation.IF_NONE_MATCH,),
    )
)
def show(job_id: str) -> ResponseReturnValue:
    """Return the job object. If the client asks to wait, the answer is held until the job has ended."""
    wait = wait_time.of_request() or wait_time.NONE

    def answer(job: Job | None) -> ResponseReturnValue:
        return etag.answer(job or archived(job_id)), wait.headers

    return services().waiting.answer(caller().owned(job_id), wait.seconds, answer)


@blueprint.get("/<job_id>/files")
@auth.needs(Scope.JOBS_READ)
@operation.describes(Operation("Sign the URLs of a job's files", {200: Answer("The files.", JobFiles)}, ("not_found",)))
def files(job_id: str) -> Response:
    """Return the `files` of the job object, without reading the result. Whether they still exist is not checked."""
    job = job_changes.found(job_id)
    return jsonify({"files": description.files(job, services().storage)})


@blueprint.post("/<job_id>/cancel")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Cancel a job",
        {
            200: Answer("The job is canceled.", JobObject),
            202: Answer("A worker runs the job, and stops at its next stage.", JobObject),
        },
        ("job_already_final", "not_found"),
    )
)
def cancel(job_id: str) -> tuple[Response, int]:
    """Cancel a job: 200 if it is canceled, now or before; 202 if a worker runs it and will stop at its next stage."""
    status = job_changes.cancel(job_id)
    job = services().jobs.get(caller().owned(job_id))
    if job is None:
        raise not_found(job_id)
    return jsonify(description.describe(job)), 202 if status == Status.RUNNING else 200


@blueprint.post("/<job_id>/retry")
@auth.needs(Scope.JOBS_WRITE)
@query.takes(WaitQuery)
@operation.describes(
    Operation(
        "Run the same again",
        submission.ANSWERS,
        (*job_codes.OF_ACCEPTANCE, "image_not_found", "input_gone", "job_not_final", "not_found"),
        headers=(idempotency_key.HEADER,),
    )
)
def retry(job_id: str) -> ResponseReturnValue:
    """Accept a new job with the request and the image of a job that has ended.

    Idempotency-Key and waiting work as in `submit`.
    """
    key = idempotency_key.of_request()
    job = job_changes.found(job_id)
    if not job.status.is_terminal:
        raise OvsegError("job_not_final", f"the job is {job.status}; only a job that has ended can be retried")
    return submission.submitted(job.request, services().acceptance.image_of(job), key, f"retry of {job_id}")


@blueprint.delete("/<job_id>")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation("Erase a job and its files", {204: Answer("The job is erased.")}, ("job_running", "not_found"))
)
def erase(job_id: str) -> tuple[str, int]:
    """Delete the record, the image and the files of a job, unless a worker is running it."""
    job_changes.delete(job_id)
    return "", 204


@blueprint.get("")
@auth.needs(Scope.JOBS_READ)
@query.takes(JobsQuery)
@operation.describes(Operation("List jobs", {200: Answer("A page of jobs.", JobPage)}))
def page() -> Response:
    """List the jobs that meet the conditions, newest first, without results; `next_cursor` leads to older jobs."""
    wanted = query.of(JobsQuery)
    jobs, next_cursor = services().jobs.list(caller().tenant, wanted, wanted.limit, wanted.cursor)
    items = ((description.describe(job), str(microseconds(job.accepted_at))) for job in jobs)
    return paging.answer("jobs", items, next_cursor)


@blueprint.get("/<job_id>/webhook-deliveries")
@auth.needs(Scope.WEBHOOKS)
@query.takes(DeliveriesQuery)
@operation.describes(
    Operation("List the events of a job", {200: Answer("A page of events.", EventPage)}, ("not_found",))
)
def deliveries(job_id: str) -> Response:
    """List the events of a job, oldest first, each with its last deliveries; `next_cursor` leads to later events."""
    if services().jobs.get(caller().owned(job_id)) is None:
        raise not_found(job_id)
    wanted = query.of(DeliveriesQuery)
    first, count = int(wanted.cursor or 0), wanted.limit
    histories, is_all = services().events.of_job_from(caller().owned(job_id), first, count)
    items = ((events.describe(history), str(n)) for n, history in enumerate(histories, first + 1))
    return paging.answer("events", items, None if is_all else str(first + count))


def _request() -> tuple[JobRequest, bytes | None]:
    """Return the request in the body, and the image's file if the body has it."""
    fields, image_file = body.read()
    masks_of = partial(services().earlier_masks.of, caller().tenant)
    return parsing.parse(fields, image_file, services().settings, masks_of, submission.sent_images())

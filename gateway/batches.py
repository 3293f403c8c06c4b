"""The routes of batches: submit a manifest, show, list, cancel and delete."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from flask import Blueprint, Response, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator, Field

from gateway import auth, body, client_id, idempotency_key, long_answer, operation, paging, query, wait_time
from gateway.answers.batch import BatchObject, BatchPage, DataSet, SubmittedBatch
from gateway.batch_submission import BatchFields, Submission
from gateway.caller import caller
from gateway.operation import Answer, Header, Operation
from gateway.paging import PageQuery
from gateway.services import services
from gateway.submission import REPLAYED
from gateway.wait_time import WaitQuery
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.batch import description
from worker.batch.batch import Batch
from worker.batch.files import USUAL, Kind
from worker.batch.item import batch_id_of
from worker.job import acceptance
from worker.job.client_text import brief
from worker.job.record import Status
from worker.store.clock import microseconds

blueprint = Blueprint("batches", __name__, url_prefix=description.BATCHES)

TAR = "application/x-tar"
MANIFEST = (body.JSON, body.NDJSON)
CODES = ("batch_canceled", "batch_deleted", "queue_full", "quota_exceeded")
HEAD_CODES = ("url_forbidden", "url_invalid", "webhooks_unavailable")
UPLOAD_CODES = ("upload_expired", "upload_not_found", "upload_not_received")
HEADERS = (operation.LOCATION, REPLAYED)
ANSWERS = {
    200: Answer("The batch has all these items already.", SubmittedBatch, HEADERS),
    202: Answer("The batch has these items, except those with an error.", SubmittedBatch, HEADERS),
}
DISPOSITION = Header("Content-Disposition", "Names the file for clients that save it.")
RETRIED = (Status.FAILED, Status.EXPIRED, Status.CANCELED)
IMAGE = "https://example.com/photo.jpg"
EXAMPLES = {
    "Two images": {
        "defaults": {"model": "SAM-Lite", "outputs": ["rle"]},
        "webhook": "https://hooks.example.com/ovseg",
        "items": [
            {"id": "train/1.jpg", "image": IMAGE, "prompts": [{"box": [140, 10, 305, 180]}]},
            {"id": "train/2.jpg", "image": IMAGE, "prompts": [{"points": [[220, 90]]}]},
        ],
    }
}


class ManifestQuery(query.Query):
    """`more=true`: another request will send more items, and the batch does not complete before that."""

    more: Literal["true", "false"] = "false"


class ResultsQuery(query.Query):
    """What the results look like."""

    format: Literal["ndjson", "coco"] = "ndjson"


def _kinds(text: str) -> list[str]:
    return text.split(",")


class FilesQuery(query.Query):
    """Which files: a list with commas of `result`, `overlay`, `masks` and `image`."""

    files: Annotated[tuple[Kind, ...], BeforeValidator(_kinds, json_schema_input_type=str)] = Field(
        default=USUAL, json_schema_extra={"default": ",".join(USUAL)}
    )


@blueprint.post("")
@auth.needs(Scope.JOBS_WRITE)
@body.takes(MANIFEST)
@query.takes(ManifestQuery)
@operation.describes(
    Operation(
        "Submit a batch",
        ANSWERS,
        (*CODES, *HEAD_CODES, *UPLOAD_CODES),
        BatchFields,
        EXAMPLES,
        (idempotency_key.HEADER,),
    ),
)
def submit() -> ResponseReturnValue:
    """Submit many jobs with one manifest. An item that is invalid is reported, and the others are accepted.

    The body is a JSON object, or JSON lines: an item in each, and optionally `{"defaults": {...}, "webhook": ...}` in
    the first. A manifest that is sent again, with the same Idempotency-Key or to the same id, adds only the items that
    are new.
    """
    key = idempotency_key.of_request()
    batch_id = caller().owned(acceptance.new_id()) if key is None else batch_id_of(caller().tenant, key)
    return _submitted(batch_id)


@blueprint.put("/<batch_id>")
@auth.needs(Scope.JOBS_WRITE)
@body.takes(MANIFEST)
@query.takes(ManifestQuery)
@operation.describes(
    Operation(
        "Submit a batch under an id of your own", ANSWERS, (*CODES, *HEAD_CODES, *UPLOAD_CODES), BatchFields, EXAMPLES
    )
)
def create(batch_id: str) -> ResponseReturnValue:
    """Submit a manifest as `submit` does, or further items of the batch that has this id."""
    client_id.check(batch_id)
    return _submitted(caller().owned(batch_id))


@blueprint.get("/<batch_id>")
@auth.needs(Scope.JOBS_READ)
@query.takes(WaitQuery)
@operation.describes(
    Operation(
        "Read a batch, or wait for it",
        {200: Answer("The batch as it is now.", BatchObject, (wait_time.APPLIED,))},
        ("not_found",),
    )
)
def show(batch_id: str) -> ResponseReturnValue:
    """Return the batch object. If the client asks to wait, the answer is held until the batch has completed."""
    wait = wait_time.of_request() or wait_time.NONE

    def answer(batch: Batch | None) -> ResponseReturnValue:
        if batch is None:
            raise not_found(batch_id)
        return jsonify(description.describe(batch, services().batches.eta_seconds(batch))), wait.headers

    return services().waiting.answer_batch(_found(batch_id), wait.seconds, answer)


@blueprint.get("")
@auth.needs(Scope.JOBS_READ)
@query.takes(PageQuery)
@operation.describes(Operation("List batches", {200: Answer("A page of batches.", BatchPage)}))
def page() -> Response:
    """List batches, newest first; `next_cursor` leads to older ones."""
    wanted = query.of(PageQuery)
    found, next_cursor = services().batches.page(caller().tenant, wanted.limit, wanted.cursor)
    items = ((description.describe(batch), str(microseconds(batch.created_at))) for batch in found)
    return paging.answer("batches", items, next_cursor)


@blueprint.get("/<batch_id>/results")
@auth.needs(Scope.JOBS_READ)
@query.takes(ResultsQuery)
@operation.describes(
    Operation(
        "Read the results of a batch",
        {200: Answer("JSON lines, or with `format=coco` a data set.", DataSet, (DISPOSITION,), (body.NDJSON,))},
        ("not_found", "result_gone"),
    )
)
def results(batch_id: str) -> Response:
    """Return a line of JSON for each item, in the order of the manifest; or a data set in COCO's format."""
    batch = _found(batch_id)
    is_coco = query.of(ResultsQuery).format == "coco"
    pieces = services().results.coco(batch) if is_coco else services().results.lines(batch)
    response = long_answer.answer(pieces, body.JSON if is_coco else body.NDJSON)
    ending = "coco.json" if is_coco else "ndjson"
    response.headers[DISPOSITION.name] = f'attachment; filename="{batch.shown_id}.{ending}"'
    return response


@blueprint.get("/<batch_id>/files")
@auth.needs(Scope.JOBS_READ)
@query.takes(FilesQuery)
@operation.describes(
    Operation(
        "Download the files of a batch",
        {200: Answer("A tar archive.", None, (DISPOSITION,), (TAR,))},
        ("not_found",),
    )
)
def download(batch_id: str) -> Response:
    """Return one archive with the files of all jobs that have ended so far: `<id of the item>/<name of the file>`."""
    batch = _found(batch_id)
    response = long_answer.answer(services().batch_files.tar(batch, query.of(FilesQuery).files), TAR)
    response.headers[DISPOSITION.name] = f'attachment; filename="{batch.shown_id}.tar"'
    return response


@blueprint.post("/<batch_id>/retry")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Run the failed items again",
        {202: Answer("A new batch of these items.", BatchObject, (operation.LOCATION, REPLAYED))},
        ("batch_not_final", "nothing_to_retry", "not_found", *CODES),
        headers=(idempotency_key.HEADER,),
    )
)
def retry(batch_id: str) -> ResponseReturnValue:
    """Make a new batch of the items of a batch that has ended whose jobs failed, expired or were canceled."""
    key, old = idempotency_key.of_request(), _found(batch_id)
    if not old.has_ended:
        raise OvsegError("batch_not_final", "the batch has not ended; only one that has ended can be retried")
    owner = caller().tenant
    new_id = caller().owned(acceptance.new_id()) if key is None else batch_id_of(owner, f"retry of {batch_id} {key}")
    again = ([outcome.item for outcome in some if outcome.status in RETRIED] for some in services().outcomes.of(old))
    is_new = True
    for n, items in enumerate(filter(None, again)):
        if n == 0:
            is_new = services().batches.create(new_id)
        services().rate_limits.count_prompts(sum(item.request.cost.prompts for item in items))
        services().batches.add(new_id, items)
    services().batches.seal(new_id)
    batch = services().batches.get(new_id)
    if batch is None:
        raise OvsegError("nothing_to_retry", "no item of the batch failed, expired or was canceled")
    headers = _headers(batch, is_new)
    return jsonify(description.describe(batch)), HTTPStatus.ACCEPTED, headers


@blueprint.post("/<batch_id>/cancel")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Cancel a batch",
        {
            200: Answer("The batch is canceled.", BatchObject),
            202: Answer("Its waiting items are canceled, and its jobs soon.", BatchObject),
        },
        ("batch_already_final", "not_found"),
    )
)
def cancel(batch_id: str) -> tuple[Response, int]:
    """Cancel all items of a batch that have not ended."""
    if services().batches.cancel(caller().owned(batch_id)) == "completed":
        raise OvsegError("batch_already_final", "all items of the batch have ended, and cannot be canceled")
    batch = _found(batch_id)
    return jsonify(description.describe(batch)), HTTPStatus.OK if batch.has_ended else HTTPStatus.ACCEPTED


@blueprint.delete("/<batch_id>")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Erase a batch and its jobs", {202: Answer("The batch is erased soon.")}, ("batch_not_final", "not_found")
    )
)
def erase(batch_id: str) -> tuple[str, int]:
    """Delete a batch that has ended: its manifest, its jobs and their files."""
    outcome = services().batches.delete(caller().owned(batch_id))
    if outcome == "running":
        raise OvsegError("batch_not_final", "the batch has not ended: cancel it first")
    if not outcome:
        raise not_found(batch_id)
    return "", HTTPStatus.ACCEPTED


def _submitted(batch_id: str) -> ResponseReturnValue:
    sent = Submission(batch_id)
    sent.read()
    if query.of(ManifestQuery).more == "false":
        services().batches.seal(batch_id)
    batch = services().batches.get(batch_id)
    if batch is None:
        raise OvsegError("batch_deleted", "the batch was deleted by another request")
    headers = _headers(batch, sent.is_new)
    status = HTTPStatus.ACCEPTED if sent.is_new or sent.added else HTTPStatus.OK
    return jsonify({**description.describe(batch), "manifest": sent.report}), status, headers


def _headers(batch: Batch, is_new: bool) -> dict[str, str]:
    headers = {"Location": url_for("batches.show", batch_id=batch.shown_id)}
    if not is_new and "Idempotency-Key" in request.headers:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _found(batch_id: str) -> Batch:
    batch = services().batches.get(caller().owned(batch_id))
    if batch is None:
        raise not_found(batch_id)
    return batch


def not_found(batch_id: str) -> OvsegError:
    return OvsegError("not_found", f"there is no batch {brief(batch_id)!r}")

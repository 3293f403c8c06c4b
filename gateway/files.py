"""The files of a job, one by one, through the gateway: its results, its image, and a preview of the image."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from gateway import auth, job_changes, job_codes, operation, query, stored_file
from gateway.answers.job import FileInTheMaking, ResultDocument
from gateway.operation import LOCATION, Answer, Header, Operation
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job import description, job_file
from worker.job.client_text import brief
from worker.job.job_file import JobFile
from worker.job.record import Job
from worker.store.storage import Head

blueprint = Blueprint("files", __name__, url_prefix=description.JOBS)

RETRY_AFTER_SECONDS = 1  # a worker makes a preview in a second or less
RANGE = Header("Range", "`bytes=FIRST-LAST`: only this part of the file.")
HEADERS = (
    operation.ETAG,
    Header("Accept-Ranges", "`bytes`."),
    Header("Content-Disposition", "Names the file for clients that save it."),
    Header("Content-Security-Policy", "Forbids everything that a page could do."),
    Header("X-Content-Type-Options", "`nosniff`."),
)
ANSWERS = {
    200: Answer("The file.", ResultDocument, HEADERS, job_file.TYPES),
    202: Answer("A worker makes the file: ask again.", FileInTheMaking, (Header("Retry-After", "In seconds."),)),
    206: Answer("A part of the file.", None, (*HEADERS, Header("Content-Range", "Which part.")), job_file.TYPES),
    302: Answer("The file is behind this link.", None, (LOCATION,)),
    304: Answer("The file has not changed.", None, HEADERS),
}
CODES = (
    *job_codes.OF_IMAGE,
    "input_gone",
    "not_found",
    "object_unreachable",
    "range_not_satisfiable",
    "result_gone",
    "url_unreachable",
)


class FileQuery(query.Query):
    """`redirect=true`: the answer is a redirect to a signed link, and storage sends the file."""

    redirect: Literal["true", "false"] = "false"


@blueprint.get("/<job_id>/files/<path:file>")
@auth.needs(Scope.JOBS_READ)
@query.takes(FileQuery)
@operation.describes(Operation("Download a file of a job", ANSWERS, CODES, headers=(operation.IF_NONE_MATCH, RANGE)))
def show(job_id: str, file: str) -> ResponseReturnValue:
    """Return a file as it is stored. If a worker must make it first, the answer is 202: ask again."""
    job = job_changes.found(job_id)
    found = job_file.find(job, file)
    if found is None:
        raise OvsegError("not_found", f"the job has no file {brief(file)!r}")
    head = _head(job, found)
    if head is None:
        services().asked_files.ask(job.id, found.name)
        return jsonify({"status": "making"}), HTTPStatus.ACCEPTED, {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if query.of(FileQuery).redirect == "true":
        return stored_file.to_storage(found)
    return stored_file.answer(found, head, f"{job.shown_id}-{found.name.replace('/', '-')}")


def _head(job: Job, file: JobFile) -> Head | None:
    """Return what storage knows about a file; None if a worker must make the file.

    Raises OvsegError `input_gone`, `result_gone`.
    """
    source = job.request.image
    if file.key == source.key and source.owner is not None:
        services().inputs.settle(source.owner, source.key)  # an image that was sent just now may still be in Redis
    head = services().storage.head(file.key)
    if head is not None or file.is_made_when_asked:
        return head
    if file.name == job_file.IMAGE:
        raise OvsegError("input_gone", "the image of this job is no longer stored")
    raise OvsegError("result_gone", "the files of this result are no longer in storage")

"""The routes of uploads: files that clients send to the storage themselves, and then name in jobs and batches."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, url_for
from pydantic import BaseModel, ConfigDict, Field

from gateway import auth, body, operation
from gateway.answers.upload import NewUploadObject, UploadObject
from gateway.caller import caller
from gateway.operation import LOCATION, Answer, Operation
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job.client_text import brief
from worker.job.validation import validated
from worker.store.clock import timestamp
from worker.upload.content_type import MANIFEST, ContentType, max_bytes
from worker.upload.upload import Upload

blueprint = Blueprint("uploads", __name__, url_prefix="/v1/uploads")


class UploadFields(BaseModel):
    """The body of a request for an upload."""

    model_config = ConfigDict(extra="forbid", strict=True)

    content_type: ContentType = Field(description="of the file: an image, or the manifest of a batch")
    size: int = Field(gt=0, description="of the file, in bytes")


@blueprint.post("")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Make an upload",
        {201: Answer("The upload, and the request that sends its file.", NewUploadObject, (LOCATION,))},
        ("body_too_large", "image_too_large", "queue_full", "quota_exceeded"),
        UploadFields,
        {"A photo": {"content_type": "image/jpeg", "size": 123456}},
    )
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Return a presigned URL for one file of this type and size. Its size counts as stored from now on."""
    fields = validated(UploadFields, body.read_json())
    _check_size(fields)
    upload = services().uploads.create(caller().tenant, fields.content_type, fields.size)
    request = {
        "method": "PUT",
        "url": services().uploads.sign(upload),
        "headers": {"Content-Type": upload.content_type, "If-None-Match": "*"},
    }
    location = url_for("uploads.show", upload_id=upload.shown_id)
    return jsonify({**_describe(upload, "waiting"), **request}), 201, {"Location": location}


@blueprint.get("/<upload_id>")
@auth.needs(Scope.JOBS_READ)
@operation.describes(
    Operation("Read an upload", {200: Answer("The upload as it is now.", UploadObject)}, ("not_found",))
)
def show(upload_id: str) -> Response:
    upload = services().uploads.get(caller().owned(upload_id))
    if upload is None:
        raise _not_found(upload_id)
    return jsonify(_describe(upload, services().uploads.status(upload)))


@blueprint.delete("/<upload_id>")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(Operation("Delete an upload", {204: Answer("The upload is deleted.")}, ("not_found",)))
def delete(upload_id: str) -> tuple[str, int]:
    """Delete an upload and its file. Jobs that were made of it keep their images."""
    if not services().uploads.delete(caller().owned(upload_id)):
        raise _not_found(upload_id)
    return "", 204


def _check_size(fields: UploadFields) -> None:
    most = max_bytes(fields.content_type, services().settings)
    if fields.size > most:
        code = "body_too_large" if fields.content_type == MANIFEST else "image_too_large"
        raise OvsegError(code, f"{fields.size:,} bytes; at most {most:,} are allowed", "size")


def _describe(upload: Upload, status: str) -> dict[str, Any]:
    return {
        "object": "upload",
        "id": upload.shown_id,
        "status": status,
        "size": upload.size,
        "content_type": upload.content_type,
        "created_at": timestamp(upload.created_at),
        "expires_at": timestamp(upload.expires_at),
    }


def _not_found(upload_id: str) -> OvsegError:
    return OvsegError("not_found", f"there is no upload {brief(upload_id)!r}")

"""The upload object, which `gateway.uploads` makes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

UploadStatus = Literal["waiting", "received", "expired"]


class UploadObject(TypedDict):
    object: Literal["upload"]
    id: str
    status: Annotated[UploadStatus, Field(description="`waiting` for the file, `received`, or `expired`")]
    size: Annotated[int, Field(description="bytes")]
    content_type: str
    created_at: datetime
    expires_at: Annotated[datetime, Field(description="until then the file can be sent, and jobs may name the upload")]


class NewUploadObject(UploadObject):
    """The upload with the request that sends its file, which no other answer has."""

    method: Literal["PUT"]
    url: Annotated[str, Field(description="of the file in storage; presigned, works once and without a key")]
    headers: Annotated[dict[str, str], Field(description="that the PUT must have, besides `Content-Length`")]

"""The source of a job's image, and what its file's header contains."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from ovseg_core.header import Header

ADDED_LATER = ("headers", "upload", "s3")


class ImageContent(BaseModel):
    """The header of an image file, read by the gateway if the file was uploaded, by a worker if it was fetched.

    `width` and `height` are in pixels of the upright image.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    width: int
    height: int
    format: str

    @classmethod
    def of(cls, data: bytes, head: Header) -> ImageContent:
        """Combine a file's digest with its header."""
        height, width = head.image_hw
        return cls(sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, format=head.format)

    @property
    def image_hw(self) -> tuple[int, int]:
        return self.height, self.width


class UploadedFile(BaseModel):
    """A file that a client has put into storage. `id` is that of the upload, `etag` identifies the file's content."""

    model_config = ConfigDict(frozen=True)

    id: str
    etag: str
    size: int


class ImageSource(BaseModel):
    """A `url`, or the object `key` under which the gateway stored the file, or an `upload`, or the address of
    an object in a bucket of the client's, `s3`.

    The gateway reads the header of a file that a request contains: its `content`. Until the file is stored, the source
    has only that. A job whose request names an upload gets a copy of the file, under a `key` of its own. `headers` are
    those for the URL, encrypted.
    """

    model_config = ConfigDict(frozen=True)

    url: str | None = None
    key: str | None = None
    content: ImageContent | None = None
    headers: str | None = None
    upload: UploadedFile | None = None
    s3: str | None = None

    @property
    def owner(self) -> str | None:
        """The id of the job that stored the file: a job whose request named the image by its digest is another one."""
        return None if self.key is None else self.key.split("/")[1]

    @model_serializer(mode="wrap")
    def _without_absent_fields(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the fields of later versions that this image does not have: older records stay the same."""
        return {name: value for name, value in write(self).items() if name not in ADDED_LATER or value is not None}

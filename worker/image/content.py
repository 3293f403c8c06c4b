"""The source of a job's image, and what its file's header contains."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from ovseg_core.header import Header


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


class ImageSource(BaseModel):
    """A `url`, or the object `key` under which the gateway stored the file after reading its header.

    An uploaded file that is not stored yet has only its `content`. `headers` are those for the URL, encrypted.
    """

    model_config = ConfigDict(frozen=True)

    url: str | None = None
    key: str | None = None
    content: ImageContent | None = None
    headers: str | None = None

    @property
    def owner(self) -> str | None:
        """The id of the job that stored the file: a job whose request named the image by its digest is another one."""
        return None if self.key is None else self.key.split("/")[1]

    @model_serializer(mode="wrap")
    def _without_absent_headers(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out headers that there are not: the records of older requests stay the same."""
        return {name: value for name, value in write(self).items() if name != "headers" or value is not None}

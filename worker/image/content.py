"""Where a job's image comes from, and what is known of its file without decoding it."""

from __future__ import annotations

import hashlib

from pydantic import BaseModel, ConfigDict

from ovseg_core.header import Header


class ImageContent(BaseModel):
    """Read from a file's header: by the gateway when the file is sent along, by a worker when it is fetched.

    `width` and `height` are in pixels, upright.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    width: int
    height: int
    format: str

    @classmethod
    def of(cls, data: bytes, head: Header) -> ImageContent:
        """What is known of a file whose header was read."""
        height, width = head.image_hw
        return cls(sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, format=head.format)

    @property
    def image_hw(self) -> tuple[int, int]:
        return self.height, self.width


class ImageSource(BaseModel):
    """A `url`, or the object `key` that the gateway stored the file under after reading its header.

    A file that was sent along and is not stored yet has its `content` alone.
    """

    model_config = ConfigDict(frozen=True)

    url: str | None = None
    key: str | None = None
    content: ImageContent | None = None

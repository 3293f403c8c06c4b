"""What is known of an image file without decoding it: at the door of one sent along, in a worker of one fetched."""

from __future__ import annotations

import hashlib

from ovseg_core import header
from worker.job_request import ImageContent


def of(data: bytes, max_pixels: int) -> ImageContent:
    """Raises OvsegError as `header.open_image` does."""
    head = header.read(data, max_pixels)
    height, width = head.image_hw
    return ImageContent(sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, format=head.format)

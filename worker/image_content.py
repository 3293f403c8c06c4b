"""What is known of an image file without decoding it: at the door of one sent along, in a worker of one fetched."""

from __future__ import annotations

import hashlib

from ovseg_core.header import Header
from worker.job_request import ImageContent


def of(data: bytes, head: Header) -> ImageContent:
    """What is known of a file whose header was read."""
    height, width = head.image_hw
    return ImageContent(sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, format=head.format)

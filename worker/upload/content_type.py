"""The content types of uploads."""

from __future__ import annotations

from typing import Literal, get_args

from configs.settings import Settings

# Those of the images that the decoder reads. A browser would run a script in other types, such as SVG.
ImageType = Literal[
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/bmp",
    "image/tiff",
    "image/avif",
    "image/heic",
    "image/heif",
    "image/x-portable-anymap",
    "image/x-portable-bitmap",
    "image/x-portable-graymap",
    "image/x-portable-pixmap",
]
ManifestType = Literal["application/x-ndjson"]  # of a batch
ContentType = Literal[ImageType, ManifestType]

IMAGES = get_args(ImageType)
(MANIFEST,) = get_args(ManifestType)


def max_bytes(content_type: str, settings: Settings) -> int:
    """Return how many bytes a file of this type may have."""
    return settings.max_manifest_bytes if content_type == MANIFEST else settings.max_image_bytes

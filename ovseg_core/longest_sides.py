"""The longest side, in pixels, of an image in each file format that we write."""

from __future__ import annotations

JPEG = 65_500  # libjpeg's JPEG_MAX_DIMENSION
WEBP = 16_383
PNG_BY_OPENCV = 1_000_000  # the default limit of libpng; Pillow raises it
BY_SUFFIX = {".jpg": JPEG, ".jpeg": JPEG, ".webp": WEBP}

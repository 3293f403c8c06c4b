"""The longest side, in pixels, that each format that we write can hold."""

from __future__ import annotations

JPEG = 65_500  # libjpeg's JPEG_MAX_DIMENSION
WEBP = 16_383
PNG_BY_OPENCV = 1_000_000  # libpng's limit, which Pillow lifts
BY_SUFFIX = {".jpg": JPEG, ".jpeg": JPEG, ".webp": WEBP}

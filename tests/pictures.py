"""Image files for tests."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

from cli.demo import PHOTO
from ovseg_core import image


def photo() -> bytes:
    """The demo's photo: a JPEG of 512 x 512."""
    return PHOTO.read_bytes()


def views() -> list[np.ndarray]:
    """Parts of the demo's photo, upright and mirrored: (S, S, 3) uint8."""
    whole = image.decode(photo(), 10**8)
    corners = [(0, 0, 512), (0, 0, 320), (150, 0, 360), (0, 180, 330)]
    parts = [whole[y : y + side, x : x + side] for x, y, side in corners]
    return [np.ascontiguousarray(view) for part in parts for view in (part, part[:, ::-1])]


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def noise(height: int, width: int, file_format: str = "PNG", seed: int = 0, **options: Any) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), file_format, **options)


def png_of_400_megapixels() -> bytes:
    """A valid PNG of 20,000 x 20,000 black pixels in about 50 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 20_000
    row = b"\0" * (1 + side // 8)  # one bit a pixel
    squeeze = zlib.compressobj(9)
    data = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

"""Image files for tests."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from PIL import Image

from ovseg.demo import PHOTO
from ovseg_core import image

# An EXIF block that contains only the orientation 6.
EXIF_6 = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def photo() -> bytes:
    """Return the demo's photo: a JPEG of 512 x 512."""
    return PHOTO.read_bytes()


def views() -> list[np.ndarray]:
    """Return parts of the demo's photo, upright and mirrored: (S, S, 3) uint8."""
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


@functools.cache  # it takes a second
def png_of_400_megapixels() -> bytes:
    """Return a valid PNG of 20,000 x 20,000 black pixels, in about 50 kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 20_000
    data = zlib.compress(bytes(side * (1 + side // 8)), 9)  # one bit a pixel
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return (H, W, 3) uint8 with soft shapes in all colours, from the darkest to the brightest."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).copy()
    pixels[:8, :8], pixels[-8:, -8:] = 0, 255
    return pixels


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    samples: np.ndarray,  # H, W, bands
    depth: int,
    kind: int,
    palette: np.ndarray | None = None,
    *,
    is_interlaced: bool = False,
    before: bytes = b"",  # chunks before the pixels
    rows: int | None = None,  # the number of rows of pixels to write
) -> bytes:
    """Write a PNG of any depth and colour type without a library."""
    height, width, _ = samples.shape
    raw = b""
    for x, y, right, down in ADAM7 if is_interlaced else ((0, 0, 1, 1),):
        part = samples[y::down, x::right]
        if part.size:
            raw += b"".join(b"\0" + _packed(row.ravel(), depth) for row in part[:rows])
    chunks = [png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, is_interlaced)), before]
    if palette is not None:
        chunks.append(png_chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
    chunks += [png_chunk(b"IDAT", zlib.compress(raw)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _packed(values: np.ndarray, depth: int) -> bytes:
    if depth == 16:
        return values.astype(">u2").tobytes()
    bits = (values[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def tiff(values: np.ndarray, bits: int, tags: dict[int, int | list[int]], packed: list[bytes] | None = None) -> bytes:
    """Write a TIFF of grey `values` (H, W) without a library; `tags` replaces or adds tags, `packed` are its strips."""
    height, width = values.shape
    strips = packed or [b"".join(_packed(row, bits) for row in values)]
    entries: dict[int, int | list[int]] = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height}
    ends = [8 + sum(map(len, strips[:i])) for i in range(len(strips) + 1)]
    entries |= {273: ends[:-1], 279: [len(strip) for strip in strips]} | tags
    values_at = ends[-1] + 2 + 12 * len(entries) + 4
    directory, beyond = struct.pack("<H", len(entries)), b""
    for tag, value in sorted(entries.items()):
        numbers = value if isinstance(value, list) else [value]
        content = struct.pack(f"<{len(numbers)}I", *numbers)
        place = content if len(content) <= 4 else struct.pack("<I", values_at + len(beyond))
        directory += struct.pack("<HHI", tag, 4, len(numbers)) + place
        beyond += content if len(content) > 4 else b""
    return struct.pack("<2sHI", b"II", 42, ends[-1]) + b"".join(strips) + directory + bytes(4) + beyond


def bmp(wh: tuple[int, int], bits: int, body: bytes, compression: int = 0, behind_header: bytes = b"") -> bytes:
    """Write a BMP without a library; `behind_header` is its colour masks or its palette."""
    head = struct.pack("<IiiHHIIiiII", 40, *wh, 1, bits, compression, len(body), 0, 0, 0, 0)
    at = 14 + len(head) + len(behind_header)
    return b"BM" + struct.pack("<IHHI", at + len(body), 0, 0, at) + head + behind_header + body


def bmp_rows(values: np.ndarray) -> bytes:
    """Return the rows from the bottom up, each padded to a multiple of four bytes."""
    rows = [row.tobytes() for row in values[::-1]]
    return b"".join(row.ljust(-(-len(row) // 4) * 4, b"\0") for row in rows)


def wide(values: np.ndarray) -> np.ndarray:
    """Return the values in 16 bits, with random low bytes."""
    low = np.random.default_rng(1).integers(0, 256, values.shape, dtype=np.uint16)
    return values.astype(np.uint16) << 8 | low


def by_opencv(data: bytes) -> np.ndarray:
    """Decode an image with OpenCV: RGB pixels (H, W, 3) uint8."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    rgb: np.ndarray = pixels[..., ::-1]
    return rgb

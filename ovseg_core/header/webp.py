"""Read the chunks of a WebP file (RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ovseg_core.header import exif
from ovseg_core.header.head import Header, too_costly, unreadable

HAS_EXIF = 0x08  # a flag of VP8X; readers look for the EXIF chunk only if it is set
MOST_CHUNKS = 100_000  # an hour of animation


def read(data: bytes) -> Header:
    first, at, _ = next(chunks(data), (b"", 0, 0))
    if first == b"VP8X":
        width = int.from_bytes(data[at + 4 : at + 7], "little") + 1
        height = int.from_bytes(data[at + 7 : at + 10], "little") + 1
        return Header("WEBP", (height, width), exif.orientation(_exif(data)) if data[at] & HAS_EXIF else 1)
    return Header("WEBP", hw(data, first, at))


def _exif(data: bytes) -> bytes:
    found = ((at, length) for kind, at, length in chunks(data) if kind == b"EXIF")
    at, length = next(found, (0, 0))
    return data[at : at + min(length, exif.MOST_BYTES)]


def hw(data: bytes, kind: bytes, at: int) -> tuple[int, int]:
    """Return height and width of the picture in a chunk `VP8 ` or `VP8L` whose content begins at offset `at`."""
    if kind == b"VP8L" and data[at] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, at + 1)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8 " and data[at + 3 : at + 6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, at + 6)
        return height & 0x3FFF, width & 0x3FFF
    raise unreadable("this begins like a WebP file, but it has no picture")


def chunks(data: bytes, at: int = 12, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, and the offset and length of its content, up to the end of the file."""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little")) if end is None else end
    for _ in range(MOST_CHUNKS):
        if at + 8 > end:
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            return
        yield kind, at + 8, length
        at += 8 + length + length % 2
    raise too_costly(f"this WebP has more than {MOST_CHUNKS:,} chunks")

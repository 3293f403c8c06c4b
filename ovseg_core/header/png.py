"""Read the chunks of a PNG (W3C, Portable Network Graphics, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from ovseg_core.header import exif
from ovseg_core.header.head import Header, too_costly, unreadable

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
MOST_CHUNKS = 200_000  # libpng writes chunks of 8 kB; 178 megapixels of 16 bits need 131,000 of them


def read(data: bytes) -> Header:
    width, height, depth, colour, packing, filtering, interlace = ihdr(data)
    if depth not in DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise unreadable("this begins like a PNG file, but its header has values that PNG does not know")
    block = next(
        (data[at : at + min(length, exif.MOST_BYTES)] for kind, at, length in chunks(data) if kind == b"eXIf"), b""
    )
    return Header("PNG", (height, width), exif.orientation(block))


def ihdr(data: bytes) -> tuple[int, int, int, int, int, int, int]:
    """Return width, height, bits per sample, colour type, compression, filter and interlace method."""
    has_checksum = zlib.crc32(data[12:29]) == int.from_bytes(data[29:33], "big")
    if not data.startswith(SIGNATURE + b"\0\0\0\rIHDR") or not has_checksum:
        raise unreadable("this begins like a PNG file, but its header is broken")
    return struct.unpack_from(">IIBBBBB", data, 16)


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, and the offset and length of its content, up to IEND or the end of the file."""
    at = len(SIGNATURE)
    for _ in range(MOST_CHUNKS):
        if at + 12 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            return
        yield kind, at + 8, length
        if kind == b"IEND":
            return
        at += 12 + length
    raise too_costly(f"this PNG has more than {MOST_CHUNKS:,} chunks")

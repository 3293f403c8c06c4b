"""Read the headers of BMP files, including those of OS/2."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ovseg_core.header.head import Header, unreadable, unsupported

CORE_BYTES = 12  # the first header of OS/2, which stores width and height in 16 bits
HEADER_BYTES = (40, 52, 56, 64, 108, 124)
NONE, RLE8, RLE4, BITFIELDS, ALPHABITFIELDS = 0, 1, 2, 3, 6
BITS = {NONE: (1, 4, 8, 16, 24, 32), RLE8: (8,), RLE4: (4,), BITFIELDS: (16, 32), ALPHABITFIELDS: (16, 32)}

MASKS_AT = 54  # after a header of 40 bytes, or inside a longer one
MASKS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}  # if the file has none


@dataclass(frozen=True)
class Bitmap:
    hw: tuple[int, int]
    is_top_down: bool
    bits: int  # per pixel
    compression: int
    pixels_at: int  # offset in the file
    masks: tuple[int, int, int] | None  # the red, green and blue bits of a pixel; only for 16 and 32 bits


def read(data: bytes) -> Header:
    return Header("BMP", bitmap(data).hw)


def bitmap(data: bytes) -> Bitmap:
    """Read the header. Raises OvsegError `image_unreadable`, `image_format_unsupported`."""
    pixels_at, size = struct.unpack_from("<II", data, 10)
    if size == CORE_BYTES:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = NONE
    elif size in HEADER_BYTES:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    else:
        raise unsupported(f"this BMP has a header of {size:,} bytes; supported are 12, 40, 52, 56, 64, 108 and 124")
    if pixels_at < 14 + size:
        raise unreadable("this begins like a BMP file, but its header is broken")
    if bits not in BITS.get(compression, ()) or (size == 64 and compression == BITFIELDS):  # Huffman coding in OS/2
        raise unsupported(
            f"this BMP has {bits} bits a pixel and compression {compression}; supported are 1, 4, 8, 16, 24 and 32 "
            "bits, run lengths of 4 and 8 bits, and colour masks of 16 and 32 bits"
        )
    masks = (
        struct.unpack_from("<III", data, MASKS_AT) if compression in (BITFIELDS, ALPHABITFIELDS) else MASKS.get(bits)
    )
    return Bitmap((abs(height), width), height < 0, bits, compression, pixels_at, masks)

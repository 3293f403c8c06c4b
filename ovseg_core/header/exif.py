"""The orientation in an EXIF block, and nothing else of it."""

from __future__ import annotations

import struct

ORIENTATION = 0x0112
SHORT, LONG = 3, 4
ENTRY_BYTES = 12
MOST_BYTES = 1 << 20  # of a block; its first directory lies at its beginning


def orientation(block: bytes) -> int:
    """1 to 8, as the tag Orientation of TIFF 6.0 numbers them; 1 (upright) where it says nothing or is broken.

    Only the tag of the first directory counts. XMP has an orientation too: it turns no image here, nor in OpenCV or a
    browser.
    """
    block = block[:MOST_BYTES].removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, at)
        for entry in range(at + 2, at + 2 + count * ENTRY_BYTES, ENTRY_BYTES):
            tag, kind, number = struct.unpack_from(f"{order}HHI", block, entry)
            if tag == ORIENTATION and kind in (SHORT, LONG) and number == 1:
                (value,) = struct.unpack_from(f"{order}{'H' if kind == SHORT else 'I'}", block, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:  # the pixels are still good
        pass
    return 1

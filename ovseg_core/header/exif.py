"""Read the orientation from an EXIF block, and nothing else."""

from __future__ import annotations

import struct

ORIENTATION = 0x0112
SHORT, LONG = 3, 4
ENTRY_BYTES = 12
MOST_BYTES = 1 << 20  # read from a block: its first directory is near its beginning


def orientation(block: bytes) -> int:
    """Return the tag Orientation of TIFF 6.0, 1 to 8; 1 (upright) if the tag is missing or broken.

    Only the first directory counts. The orientation in XMP is ignored, as OpenCV and browsers do.
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
    except struct.error:  # the pixels can still be read
        pass
    return 1

"""Read the headers of PNM files: PBM, PGM and PPM, text or binary (see netpbm's pages of these names)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ovseg_core.header.head import Header, too_costly, unreadable

SIGNATURES = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
MOST_BYTES = 1 << 20  # in a header with its comments
# Possessive quantifiers, so that matching takes linear time.
BLANK = re.compile(rb"(?:[ \t\n\v\f\r]|#[^\n\r]*+[\n\r])*+")
NUMBER = re.compile(rb"([0-9]{1,10}+)(?:#[^\n\r]*+)?+")  # a comment may follow without a space


@dataclass(frozen=True)
class Raster:
    kind: int  # the digit in the signature
    hw: tuple[int, int]
    maxval: int
    pixels_at: int  # offset in the file

    @property
    def bands(self) -> int:
        return 3 if self.kind in (3, 6) else 1


def read(data: bytes) -> Header:
    return Header("PPM", raster(data).hw)


def raster(data: bytes) -> Raster:
    """Read the header. Raises OvsegError `image_unreadable`, `image_too_costly`."""
    start = data[:MOST_BYTES]
    kind, at, numbers = start[1] - ord("0"), 2, []
    for _ in range(2 if kind in (1, 4) else 3):
        blank = BLANK.match(start, at)
        found = NUMBER.match(start, blank.end() if blank else at)
        if found is None:
            break
        numbers.append(int(found[1]))
        at = found.end()
    else:
        if at < len(start) and start[at : at + 1].isspace():
            width, height, *rest = numbers
            maxval = rest[0] if rest else 1
            if not 1 <= maxval <= 65535:
                raise unreadable(f"the largest value of this PNM is {maxval}; it must be 1 to 65535")
            return Raster(kind, (height, width), maxval, at + 1)
    if len(data) > MOST_BYTES and b"#" in start:
        raise too_costly(f"the header of this PNM is longer than {MOST_BYTES:,} bytes")
    raise unreadable("this begins like a PNM file, but its header is broken")

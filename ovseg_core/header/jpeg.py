"""Read the markers of a JPEG up to the first scan (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ovseg_core.header import exif
from ovseg_core.header.head import Header, too_costly, unreadable, unsupported

MARKER = re.compile(rb"\xff[^\xff\0]", re.DOTALL)
# Inside a scan, 0 and the restart markers are part of the data.
MARKER_AFTER_SCAN = re.compile(rb"\xff[^\xff\0\xd0-\xd7]", re.DOTALL)
SOI, EOI, SOS, DRI, APP0, APP1, APP14, TEM = 0xD8, 0xD9, 0xDA, 0xDD, 0xE0, 0xE1, 0xEE, 0x01
WITHOUT_LENGTH = (TEM, *range(0xD0, 0xD8))
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA)  # Huffman coding first, arithmetic coding last
COMPONENTS = (1, 3, 4)  # grey, YCbCr or RGB, CMYK or YCCK
MOST_SEGMENTS = 10_000  # a colour profile of 20 MB takes 320
# Each scan of a progressive file goes over all pixels. A usual file has 10 to 20; at 80 megapixels up to 50 are
# accepted, which take a second.
MOST_SCANS, MOST_SCANNED_PIXELS = 1_000, 4_000_000_000


@dataclass(frozen=True)
class Frame:
    """What the segments before the first scan contain. `scan_at` is the offset of that scan in the file."""

    hw: tuple[int, int]
    coding: int  # the frame's marker
    components: int
    orientation: int
    scan_at: int


def read(data: bytes) -> Header:
    found = frame(data)
    check_scans(data, found)
    return Header("JPEG", found.hw, found.orientation)


def frame(data: bytes) -> Frame:
    """Read the header. Raises OvsegError `image_unreadable`, `image_format_unsupported`, `image_too_costly`."""
    size: tuple[int, int] | None = None
    coding = components = 0
    orientation: int | None = None
    for code, at, length in segments(data):
        if code in FRAMES:
            if size is not None:
                raise unreadable("this JPEG has two frames; only one is allowed")
            coding = code
            bits, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            _check_frame(code, bits, components)
            size = height, width
        elif code == APP1 and orientation is None and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = exif.orientation(data[at + 4 : at + 2 + length])
        elif code == SOS:
            if size is None:
                break
            return Frame(size, coding, components, orientation or 1, at)
    raise unreadable("this begins like a JPEG file, but it ends before its first scan")


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each segment up to EOI or the end: its code, the offset of its marker's 0xFF, and its length.

    The length of a marker without content is 0.

    The data of a scan is no segment and is skipped, as are stray bytes between segments.
    """
    at = 2
    for _ in range(MOST_SEGMENTS):
        found = MARKER.search(data, at)
        if found is None:
            return
        code, at = data[found.end() - 1], found.start()
        if code == SOI:
            raise unreadable("this JPEG begins twice")
        if code == EOI or code in WITHOUT_LENGTH:
            yield code, at, 0
            if code == EOI:
                return
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if length < 2 or at + 2 + length > len(data):
            raise unreadable("this begins like a JPEG file, but it breaks off within a segment")
        yield code, at, length
        at += 2 + length
        if code == SOS:
            after = MARKER_AFTER_SCAN.search(data, at)
            at = after.start() if after else len(data)
    raise too_costly(f"this JPEG has more than {MOST_SEGMENTS:,} segments")


def _check_frame(code: int, bits: int, components: int) -> None:
    if code not in SEQUENTIAL + PROGRESSIVE:
        raise unsupported("this JPEG is lossless or hierarchical; supported are baseline, sequential and progressive")
    if bits != 8:
        raise unsupported(f"this JPEG has samples of {bits} bits; supported are 8")
    if components not in COMPONENTS:
        raise unsupported(f"this JPEG has {components} components; supported are 1, 3 and 4")


def check_scans(data: bytes, found: Frame) -> None:
    """Raise OvsegError `image_too_costly` if the scans go over the pixels too often."""
    if found.coding not in PROGRESSIVE and data[found.scan_at + 4] >= found.components:
        return  # it has a single scan
    most = min(MOST_SCANS, MOST_SCANNED_PIXELS // max(1, found.hw[0] * found.hw[1]))
    if data.count(b"\xff\xda", found.scan_at) <= most:  # fast, and never counts too few
        return
    scans = 0
    for code, at, _ in segments(data):
        scans += code == SOS and at >= found.scan_at
        if scans > most:
            raise too_costly(f"this JPEG goes over its pixels more than {most} times; usual are 10 to 20")

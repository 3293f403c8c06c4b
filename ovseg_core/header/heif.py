"""Read the boxes of AVIF and HEIC that hold the picture's size and orientation (ISO/IEC 14496-12 and 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from ovseg_core import extras
from ovseg_core.header.head import Header, too_costly, unreadable, unsupported

AVIF_BRANDS = {b"avif", b"avis"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
MOST_BOXES = 10_000  # a phone's photo of 48 tiles has about 200
# EXIF orientation by quarter turns counterclockwise (irot), then by mirror axis (imir): none, top-bottom, left-right.
ORIENTATIONS = {
    0: {None: 1, 0: 4, 1: 2},
    1: {None: 8, 0: 5, 1: 7},
    2: {None: 3, 0: 2, 1: 4},
    3: {None: 6, 0: 7, 1: 5},
}


@dataclass(frozen=True)
class Picture:
    """`hw` is the size before crop and rotation; `crop_hw` is the size after a crop, None if the file has none."""

    hw: tuple[int, int]
    crop_hw: tuple[int, int] | None
    orientation: int


def format_of(data: bytes, allowed: str) -> str:
    """Return AVIF or HEIC. Raises OvsegError `image_format_unsupported` for other files of boxes, such as videos."""
    length = min(int.from_bytes(data[:4], "big"), 4096)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, length, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    if brands & HEIC_BRANDS:
        return "HEIC"
    raise unsupported(f"this is a video, a RAW photo or another file of ISO boxes; {allowed}")


def read_avif(data: bytes) -> Header:
    found = picture(data)
    if found.crop_hw:
        raise unsupported("this AVIF has a clean aperture (clap); supported are whole pictures")
    return Header("AVIF", found.hw, found.orientation)


def read_heic(data: bytes) -> Header:
    if not is_heic_read():
        raise unsupported(f"HEIC is read only where the extra heic is installed: {extras.how_to_install('heic')}")
    found = picture(data)
    # libheif rotates the pixels while it decodes them, so the header reports an upright image.
    return Header("HEIC", Header("HEIC", found.crop_hw or found.hw, found.orientation).image_hw)


def is_heic_read() -> bool:
    """True if the extra `heic` is installed."""
    return find_spec("pillow_heif") is not None


def picture(data: bytes) -> Picture:
    """Read the primary picture's header. AVIF and HEIC ignore EXIF: their properties `irot` and `imir` rotate.

    Raises OvsegError `image_unreadable`, `image_too_costly`.
    """
    budget = iter(range(MOST_BOXES))
    for kind, at, end in _boxes(data, 0, len(data), budget):
        if kind == b"meta":
            return _of_meta(data, at + 4, end, budget)
    raise unreadable("this begins like an AVIF or HEIC file, but it has no picture")


def _of_meta(data: bytes, at: int, end: int, budget: Iterator[int]) -> Picture:
    item, properties = None, (at, at)
    for kind, start, stop in _boxes(data, at, end, budget):
        if kind == b"pitm":
            item = int.from_bytes(data[start + 4 : start + (8 if data[start] else 6)], "big")
        elif kind == b"iprp":
            properties = start, stop
    every: list[tuple[bytes, int]] = []
    indices: list[int] = []
    for kind, start, stop in _boxes(data, *properties, budget):
        if kind == b"ipco":
            every = [(name, inner) for name, inner, _ in _boxes(data, start, stop, budget)]
        elif kind == b"ipma":
            indices = indices or _associated(data, start, item, budget)
    found = {every[i - 1][0]: every[i - 1][1] for i in indices if 1 <= i <= len(every)}
    if b"ispe" not in found:
        raise unreadable("this begins like an AVIF or HEIC file, but it does not contain its size")
    width, height = struct.unpack_from(">II", data, found[b"ispe"] + 4)
    quarters = data[found[b"irot"]] & 3 if b"irot" in found else 0
    axis = data[found[b"imir"]] & 1 if b"imir" in found else None
    crop = _crop_hw(data, found[b"clap"]) if b"clap" in found else None
    return Picture((height, width), crop, ORIENTATIONS[quarters][axis])


def _associated(data: bytes, at: int, item: int | None, budget: Iterator[int]) -> list[int]:
    """Return the indices, from 1, of an item's properties."""
    version, is_wide = data[at], data[at + 3] & 1
    (count,) = struct.unpack_from(">I", data, at + 4)
    at += 8
    for _ in range(count):
        _spend(budget)
        name = struct.unpack_from(">I" if version else ">H", data, at)[0]
        at += 4 if version else 2
        number = data[at]
        if name == item:
            indices = struct.unpack_from(f">{number}{'H' if is_wide else 'B'}", data, at + 1)
            return [index & (0x7FFF if is_wide else 0x7F) for index in indices]
        at += 1 + number * (2 if is_wide else 1)
    return []


def _crop_hw(data: bytes, at: int) -> tuple[int, int]:
    across, across_of, down, down_of = struct.unpack_from(">IIII", data, at)
    if not across_of or not down_of:
        raise unreadable("this file's clean aperture (clap) is broken")
    return down // down_of, across // across_of


def _boxes(data: bytes, at: int, end: int, budget: Iterator[int]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box in turn, and the offsets where its content begins and ends."""
    while at + 8 <= end:
        _spend(budget)
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        stop = at + size if size else end  # 0 means: up to the end
        if stop > end or (size and size < head):
            raise unreadable("this begins like an AVIF or HEIC file, but it breaks off")
        yield kind, at + head, stop
        at = stop


def _spend(budget: Iterator[int]) -> None:
    if next(budget, None) is None:
        raise too_costly(f"this file has more than {MOST_BOXES:,} boxes")

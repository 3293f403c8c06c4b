"""Read the directories of TIFF and BigTIFF (TIFF 6.0, section 2; awaresystems.be/imaging/tiff/bigtiff.html)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ovseg_core.header.head import too_costly, unreadable

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# The letters of struct, by type of integer.
LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
MOST_ENTRIES = 4_096  # tags in one directory; GeoTIFF has about 30
MOST_PAGES = 10_000


@dataclass(frozen=True)
class Directory:
    """The tags of a page. `values` reads from `data`, which is the whole file."""

    data: bytes
    order: str  # "<" or ">"
    entries: dict[int, tuple[str, int, int]]  # letter of struct, number of values, their offset
    following_at: int  # offset of the next directory, 0 after the last

    def values(self, tag: int, most: int) -> tuple[int, ...]:
        """Return the integers of a tag, at most `most` of them; empty if the tag is missing."""
        if tag not in self.entries:
            return ()
        letter, number, at = self.entries[tag]
        values: tuple[int, ...] = struct.unpack_from(f"{self.order}{min(number, most)}{letter}", self.data, at)
        return values

    def value(self, tag: int, default: int | None = None) -> int:
        """Return the first integer of a tag. Raises OvsegError `image_unreadable` if there is none and no default."""
        values = self.values(tag, 1)
        if values:
            return values[0]
        if default is None:
            raise unreadable(f"this TIFF lacks the tag {tag}")
        return default

    def number(self, tag: int) -> int:
        """Return the number of values of a tag."""
        return self.entries[tag][1] if tag in self.entries else 0


def is_big(data: bytes) -> bool:
    return data[2:4] in (b"+\0", b"\0+")


def first(data: bytes) -> Directory:
    """Read the first directory.

    Raises struct.error if the file ends inside it, OvsegError `image_unreadable`, `image_too_costly`.
    """
    order = "<" if data.startswith(b"II") else ">"
    return _at(data, struct.unpack_from(f"{order}Q", data, 8)[0] if is_big(data) else _short(data, order))


def every(data: bytes) -> Iterator[Directory]:
    """Read the directory of every page. Raises the same errors as `first`."""
    seen: set[int] = set()
    page = first(data)
    yield page
    while page.following_at:
        if page.following_at in seen:
            raise unreadable("the pages of this TIFF go round in a circle")
        if len(seen) >= MOST_PAGES:
            raise too_costly(f"this TIFF has more than {MOST_PAGES:,} pages")
        seen.add(page.following_at)
        page = _at(data, page.following_at)
        yield page


def _short(data: bytes, order: str) -> int:
    at: int = struct.unpack_from(f"{order}I", data, 4)[0]
    return at


def _at(data: bytes, at: int) -> Directory:
    order, big = ("<" if data.startswith(b"II") else ">"), is_big(data)
    if at >= len(data):
        raise unreadable("this begins like a TIFF file, but it breaks off before its directory")
    count_letter, entry, room = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    (count,) = struct.unpack_from(order + count_letter, data, at)
    if count > MOST_ENTRIES:
        raise too_costly(f"this TIFF has {count:,} tags in one directory; at most {MOST_ENTRIES:,} are allowed")
    at += struct.calcsize(order + count_letter)
    head = struct.calcsize(order + entry)
    entries: dict[int, tuple[str, int, int]] = {}
    for here in range(at, at + count * (head + room), head + room):
        tag, kind, number = struct.unpack_from(order + entry, data, here)
        if letter := LETTERS.get(kind):
            place = here + head
            if struct.calcsize(f"{order}{letter}") * number > room:
                (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
            entries.setdefault(tag, (letter, number, place))
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), data, at + count * (head + room))
    return Directory(data, order, entries, following)

"""The names of saved results, so that none overwrites another's file."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Of a file's name, which may have 255 bytes on Linux; what is added to it is shorter than the rest.
LONGEST_STEM_BYTES = 200
LONGEST_SUFFIX_BYTES = 20


@dataclass(frozen=True)
class Owner:
    """A result: its file or URL (None for an array), its page, the call of `predict`, and its place in that call."""

    path: str | None
    page: int | None
    call: object
    position: int

    def may_replace(self, other: Owner) -> bool:
        """The same result, saved again; or one of the same file in a later call, which PaddleX lets replace it."""
        if self.path is None or self.call is other.call:
            return self == other
        return (self.path, self.page) == (other.path, other.page)


class SavedNames:
    """The names under which one model's results were saved. Safe to use from several threads."""

    def __init__(self) -> None:
        self._owners: dict[Path, Owner] = {}
        self._lock = threading.Lock()

    def of(self, owner: Owner, folder: Path, stem: str, suffix: str) -> str:
        """`stem`; where another result of these has that name in this folder `stem.suffix`, then `stem.suffix_2`, and
        so on; each with the number of the page behind it. A stem of more than 200 bytes is cut."""
        page = "" if owner.page is None else f"_{owner.page}"
        stem, suffix = _cut(stem, LONGEST_STEM_BYTES), _cut(suffix, LONGEST_SUFFIX_BYTES)
        with self._lock:
            for base in _bases(stem, suffix):
                place = folder.absolute() / (base + page)
                holder = self._owners.get(place)
                if holder is None or owner.may_replace(holder):
                    self._owners[place] = owner
                    return base + page
        raise AssertionError("there is always another number")


def _cut(name: str, longest: int) -> str:
    """Not inside a character."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= longest else encoded[:longest].decode(errors="ignore")


def _bases(stem: str, suffix: str) -> Iterator[str]:
    yield stem
    if suffix:
        yield stem + suffix
    for number in itertools.count(2):
        yield f"{stem}{suffix}_{number}"

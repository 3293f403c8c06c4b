"""Under which name a result is saved, so that none takes another's file."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A result: of which file or URL (None for an array) and page, and the how-manieth of which call of `predict`."""

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
    """The names that results of one model were saved under. Callable from any thread."""

    def __init__(self) -> None:
        self._owners: dict[Path, Owner] = {}
        self._lock = threading.Lock()

    def of(self, owner: Owner, folder: Path, stem: str, suffix: str) -> str:
        """`stem`; where another result of these has that name in this folder `stem.suffix`, then `stem.suffix_2`, and
        so on; each with the number of the page behind it."""
        page = "" if owner.page is None else f"_{owner.page}"
        with self._lock:
            for base in _bases(stem, suffix):
                place = folder.absolute() / (base + page)
                holder = self._owners.get(place)
                if holder is None or owner.may_replace(holder):
                    self._owners[place] = owner
                    return base + page
        raise AssertionError("there is always another number")


def _bases(stem: str, suffix: str) -> Iterator[str]:
    yield stem
    if suffix:
        yield stem + suffix
    for number in itertools.count(2):
        yield f"{stem}{suffix}_{number}"

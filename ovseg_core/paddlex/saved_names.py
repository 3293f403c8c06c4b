"""Chooses the names of saved results, so that no result overwrites the file of another."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A file's name may have 255 bytes on Linux. With these limits there is room for what is added: a number, a page, `_res`
# and a suffix.
MAX_STEM_BYTES = 200
MAX_SUFFIX_BYTES = 20


@dataclass(frozen=True)
class Owner:
    """Identifies a result: its file or URL (None for an array), its page, the call of `predict`, its position there.

    `call` is an object that is unique to the call.
    """

    path: str | None
    page: int | None
    call: object
    position: int

    def may_replace(self, other: Owner) -> bool:
        """Return True if this result may overwrite the other's file.

        It may if it is the same result, saved again, or a result of the same file and page in another call, as in
        PaddleX.
        """
        if self.path is None or self.call is other.call:
            return self == other
        return (self.path, self.page) == (other.path, other.page)


class SavedNames:
    """The names under which one model's results were saved. Thread-safe."""

    def __init__(self) -> None:
        self._owners: dict[Path, Owner] = {}
        self._lock = threading.Lock()

    def of(self, owner: Owner, folder: Path, stem: str, suffix: str) -> str:
        """Return the name for a result in a folder, without `_res` and suffix.

        The name is `stem`; if another result has this name, it is `stem.suffix`, then `stem.suffix_2`, and so on. The
        number of the page follows, if the file has pages. A stem of more than 200 bytes is cut.
        """
        page = "" if owner.page is None else f"_{owner.page}"
        stem, suffix = _cut(stem, MAX_STEM_BYTES), _cut(suffix, MAX_SUFFIX_BYTES)
        with self._lock:
            for base in _bases(stem, suffix):
                path = folder.absolute() / (base + page)
                holder = self._owners.get(path)
                if holder is None or owner.may_replace(holder):
                    self._owners[path] = owner
                    return base + page
        raise AssertionError("there is always another number")


def _cut(name: str, max_bytes: int) -> str:
    """Cut a name to at most this many bytes, not inside a character."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= max_bytes else encoded[:max_bytes].decode(errors="ignore")


def _bases(stem: str, suffix: str) -> Iterator[str]:
    yield stem
    if suffix:
        yield stem + suffix
    for number in itertools.count(2):
        yield f"{stem}{suffix}_{number}"

"""Finds the arrays, files and URLs in the input of `predict`, one by one.

Lists and folders are read ahead. The caller's iterators and generators are not: an iterator may belong to one thread
(SQLite's cursors do), or it may be a camera without a new image for an hour.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

SUFFIXES = frozenset(
    [".bmp", ".dib", ".jpeg", ".jpg", ".png", ".webp", ".pbm", ".pgm", ".ppm", ".pnm", ".tiff", ".tif"]
)
IN_FOLDERS = SUFFIXES | {".pdf", ".avif", ".heic", ".heif"}
EXPECTED = "input must be an array, a path, a URL, or several of these"


@dataclass(frozen=True)
class Source:
    """One array, file or URL, or the error for an input that is none of these.

    `path` is the `input_path` in results, None for an array. `folder` is the file's folder, relative to the folder that
    the caller gave.
    """

    given: np.ndarray | Path | str | Exception
    path: str | None
    folder: str = ""


class Sources:
    """The sources of an input, in order. Used by the caller's thread only."""

    def __init__(self, given: Any) -> None:
        self._stack: list[tuple[Iterator[Any], bool]] = [(iter([given]), False)]  # True: it is the caller's iterator

    def take(self, *, from_caller: bool) -> Source | None:
        """Return the next source, or None at the end.

        With `from_caller` False, also return None if the next source would come from the caller's iterator. Raises what
        that iterator raises.
        """
        while self._stack:
            iterator, is_callers = self._stack[-1]
            if is_callers and not from_caller:
                return None
            try:
                item = next(iterator)
            except StopIteration:
                self._stack.pop()
                continue
            if isinstance(item, Source):
                return item
            if isinstance(item, np.ndarray) and not _is_column(item):
                return Source(item, None)
            if isinstance(item, str | os.PathLike):
                self._stack.append((_of_path(item), False))
            elif _is_several(item):
                self._stack.append((iter(item), not isinstance(item, list | tuple)))
            else:
                return Source(TypeError(_wrong_type(item)), None)
        return None


def _is_several(given: Any) -> bool:
    """Return True for an iterable of inputs. Tensors and bytes can be iterated too, but their items are not images."""
    if isinstance(given, Mapping | bytes | bytearray | memoryview) or not isinstance(given, Iterable):
        return False
    return _is_column(given) or not hasattr(given, "__array__")


def _is_column(given: Any) -> bool:
    """Return True for an array or a table's column (pandas, polars) of paths: it has one dimension and no numbers."""
    kind = getattr(getattr(given, "dtype", None), "kind", "O")
    return kind in "OUT" and len(getattr(given, "shape", ())) == 1


def _wrong_type(given: Any) -> str:
    hint = ""
    if hasattr(given, "__array__"):
        hint = "; convert it to a NumPy array, (H, W, 3) uint8 in BGR"
    elif isinstance(given, bytes | bytearray | memoryview):
        hint = "; decode a file's bytes to an array with cv2.imdecode"
    return f"{EXPECTED}, not {type(given).__name__}{hint}"


def _of_path(given: str | os.PathLike[str]) -> Iterator[Source]:
    """Yield the source of a URL or file, or the sources in a folder."""
    if isinstance(given, str) and given.lstrip()[:8].lower().startswith(("http://", "https://")):
        yield Source(given.strip(), given.strip())
        return
    if given == "":  # Path("") would be the current folder
        yield Source(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), given), given)
        return
    path = Path(given)
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        yield Source(error, str(given))
        return
    if is_folder:
        yield from in_folder(path)
    else:
        yield Source(path, str(given))


def in_folder(root: Path, suffixes: frozenset[str] = IN_FOLDERS) -> list[Source]:
    """Return the images and documents below a folder, by their suffixes, in order of their paths; and an error for each
    folder that cannot be read.

    Hidden files and folders are left out (macOS's `._NAME` files are hidden), and so is anything that is not a file,
    such as a pipe. Links to files are followed; links to folders are not, so there are no loops.
    """
    unreadable: list[OSError] = []
    found = []
    for folder, below, names in os.walk(root, onerror=unreadable.append):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if path.suffix.lower() in suffixes and not name.startswith(".") and _is_file_or_broken(path):
                found.append(Source(path, str(path), os.path.relpath(folder, root)))
    found += [Source(error, str(error.filename)) for error in unreadable]
    return sorted(found, key=lambda source: Path(source.path or "").parts)


def _is_file_or_broken(path: Path) -> bool:
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError:  # reading the path will raise the same error, and name the path
        return True
    if not is_file:
        log.warning("skipped: %r is not a file", str(path))
    return is_file

"""The arrays, files and URLs in the input of `predict`, one by one.

Lists and folders are read ahead. An iterator or generator of the caller's is not: it may belong to one thread (SQLite's
cursors do), and it may be a camera that has nothing new for an hour.
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

from ovseg_core.errors import OvsegError

log = logging.getLogger(__name__)

SUFFIXES = frozenset(
    [".bmp", ".dib", ".jpeg", ".jpg", ".png", ".webp", ".pbm", ".pgm", ".ppm", ".pnm", ".tiff", ".tif"]
)
IN_FOLDERS = SUFFIXES | {".pdf", ".avif", ".heic", ".heif"}
WHAT = "input is an array, a path, a URL, or several of these"


@dataclass(frozen=True)
class Source:
    """One array, file or URL, or an error where the input was none.

    `path` is its `input_path` in results, None for an array. `folder` is the file's place in the folder that was given.
    """

    given: np.ndarray | Path | str | Exception
    path: str | None
    folder: str = ""


class Sources:
    """The sources of an input, in order. Used by the caller's thread only."""

    def __init__(self, given: Any) -> None:
        self._stack: list[tuple[Iterator[Any], bool]] = [(iter([given]), True)]  # False: the caller's own

    def take(self, *, asks: bool) -> Source | None:
        """The next source, or None at the end. Without `asks` also None where the next one would come from an iterator
        of the caller's. Raises what that iterator raises."""
        while self._stack:
            iterator, is_ready = self._stack[-1]
            if not is_ready and not asks:
                return None
            try:
                one = next(iterator)
            except StopIteration:
                self._stack.pop()
                continue
            if isinstance(one, Source):
                return one
            if isinstance(one, np.ndarray) and not _is_column(one):
                return Source(one, None)
            if isinstance(one, str | os.PathLike):
                self._stack.append((_named(one), True))
            elif _is_several(one):
                self._stack.append((iter(one), isinstance(one, list | tuple)))
            else:
                return Source(TypeError(_no_source(one)), None)
        return None


def _is_several(given: Any) -> bool:
    """Tensors and bytes can be iterated too, but not to images."""
    if isinstance(given, Mapping | bytes | bytearray | memoryview) or not isinstance(given, Iterable):
        return False
    return _is_column(given) or not hasattr(given, "__array__")


def _is_column(given: Any) -> bool:
    """Whether it is an array of paths or a table's column of them (pandas, polars): one dimension, not of numbers."""
    kind = getattr(getattr(given, "dtype", None), "kind", "O")
    return kind in "OUT" and len(getattr(given, "shape", ())) == 1


def _no_source(given: Any) -> str:
    hint = ""
    if hasattr(given, "__array__"):
        hint = "; make it a NumPy array, (H, W, 3) uint8 in BGR"
    elif isinstance(given, bytes | bytearray | memoryview):
        hint = "; of a file's bytes make an array with cv2.imdecode"
    return f"{WHAT}, not {type(given).__name__}{hint}"


def _named(given: str | os.PathLike[str]) -> Iterator[Source]:
    if isinstance(given, str) and given.lstrip()[:8].lower().startswith(("http://", "https://")):
        yield Source(given.strip(), given.strip())
        return
    if given == "":  # which Path takes for the current folder
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
    """The images and documents below a folder, by their suffixes, in order of their paths; and an error for each folder
    that cannot be read.

    Hidden files and folders are left out (macOS's `._NAME` are hidden), and so is what is no file, such as a pipe.
    Links to files are followed, links to folders are not, so there are no loops.
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
    except OSError:  # reading it will raise the same, with its name
        return True
    if not is_file:
        log.warning("%r is passed over: it is not a file", str(path))
    return is_file


def read(path: Path) -> bytes:
    """A file's bytes. Raises OSError, and OvsegError `image_unreadable` where the path is no file's.

    A pipe is opened without waiting for a writer, and is not read.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OvsegError("image_unreadable", "it is neither a file nor a folder", "image")
        return file.read()

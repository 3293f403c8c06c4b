"""SHA-256 of what results depend on: files of weights, and our own code."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent


def cache_root() -> Path:
    """What is worth keeping between processes: OVSEG_ENGINES_DIR, by default a folder in the user's cache."""
    if given := os.environ.get("OVSEG_ENGINES_DIR"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ovseg" / "engines"


def of_weights(weights: Path) -> str:
    """Of a file, or of all files in a folder."""
    if weights.is_dir():
        each = (f"{path.name} {_of_file(path)}" for path in sorted(weights.iterdir()) if path.is_file())
        return hashlib.sha256(" ".join(each).encode()).hexdigest()
    return _of_file(weights)


def of_code(*rooms: str) -> str:
    """Of the sources of `ovseg_core`, or of some of its rooms only."""
    each = [hashlib.sha256(path.read_bytes()).hexdigest() for path in _sources(rooms)]
    return hashlib.sha256(" ".join(each).encode()).hexdigest()


def _sources(rooms: tuple[str, ...]) -> Iterator[Path]:
    for folder in [PACKAGE / room for room in rooms] or [PACKAGE]:
        yield from sorted(folder.rglob("*.py"))


def _of_file(path: Path) -> str:
    """Remembered as long as the file is not written to: to read SAM-H takes seconds."""
    stat = path.stat()
    identity = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    note = cache_root() / "digests" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    if note.is_file():
        return note.read_text()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        part = note.with_suffix(f".{os.getpid()}")
        part.write_text(digest)
        part.rename(note)
    except OSError:
        pass  # nothing can be written there; it is read again next time
    return digest

"""The size and SHA-256 of weights at the time of their download, in a small JSON file next to the weights.

They show whether the weights have changed since. They are not the publisher's: those are in the registry.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

SUFFIX = ".record.json"


@dataclass(frozen=True)
class FileSum:
    """The size of a file in bytes, and its SHA-256 in hexadecimal digits."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileSum:
        with path.open("rb") as file:
            return cls(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())

    def difference(self, size: int | None, sha256: str | None) -> str | None:
        """Return how the file differs from this size and SHA-256, or None. A value that is None is not compared."""
        if size is not None and self.bytes != size:
            return f"it has {self.bytes} bytes, not {size}"
        if sha256 is not None and self.sha256 != sha256:
            return f"its SHA-256 is {self.sha256}, not {sha256}"
        return None


@dataclass(frozen=True)
class Record:
    """What was recorded about weights.

    Attributes:
        name: of the file or folder of the weights.
        url: where `pull` fetched them; None if a user put them there and recorded them.
        time: UTC, in ISO 8601.
        files: for each file of the weights its size and SHA-256.
    """

    name: str
    url: str | None
    time: str
    files: Mapping[str, FileSum]

    @classmethod
    def now(cls, name: str, url: str | None, files: Mapping[str, FileSum]) -> Record:
        return cls(name, url, datetime.now(UTC).isoformat(timespec="seconds"), files)

    @property
    def origin(self) -> str:
        """Where and when the sums were computed, in words."""
        return f"fetched from {self.url} at {self.time}" if self.url else f"recorded here at {self.time}"

    def difference(self, weights: Path) -> str | None:
        """Return how weights on this machine differ from the record, or None. This reads the whole files."""
        if self.name != weights.name:
            return f"{path(weights)} is the record of {self.name}, not of {weights.name}"
        found = sums(weights)
        if changed := sorted(found.keys() ^ self.files.keys()):
            return "; ".join(f"{name} {'is new' if name in found else 'is missing'}" for name in changed)
        for name, known in self.files.items():
            if wrong := found[name].difference(known.bytes, known.sha256):
                return f"{name}: {wrong}" if weights.is_dir() else wrong
        return None

    def write(self, weights: Path) -> None:
        """Write the record next to the weights. Other processes see the old record or the new one."""
        part = path(weights).with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(asdict(self), indent=2))
        part.replace(path(weights))


def path(weights: Path) -> Path:
    return weights.with_name(weights.name + SUFFIX)


def read(weights: Path) -> Record | None:
    """Return the record of weights, or None if there is none. Raises ValueError if its file is damaged."""
    if not path(weights).exists():
        return None
    try:
        found = json.loads(path(weights).read_text())
        files = {str(name): FileSum(int(of["bytes"]), str(of["sha256"])) for name, of in found["files"].items()}
        return Record(str(found["name"]), found["url"], str(found["time"]), files)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError(f"the record {path(weights)} is damaged") from None


def sums(weights: Path) -> dict[str, FileSum]:
    """Return the size and SHA-256 of a file, or of each file in a folder and its subfolders, by name."""
    if not weights.is_dir():
        return {weights.name: FileSum.of(weights)}
    files = sorted(file for file in weights.rglob("*") if file.is_file())
    return {file.relative_to(weights).as_posix(): FileSum.of(file) for file in files}

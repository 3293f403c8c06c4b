"""Paths for unix sockets: beside the data, or, where that is too long a path, in a private folder under /tmp."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

LONGEST_PATH_BYTES = 100  # the kernel takes 107


def path(folder: Path, name: str) -> Path:
    """Where the socket `name` of a server that keeps its data in `folder` goes; the same at every start.

    Raises PermissionError if the folder under /tmp is not ours alone.
    """
    beside = folder / name
    if len(str(beside).encode()) <= LONGEST_PATH_BYTES:
        return beside
    private = Path(tempfile.gettempdir()) / f"ovseg-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.getuid():
        raise PermissionError(f"{private} is not ours alone; remove it, or choose a --data-dir with a shorter path")
    return private / name

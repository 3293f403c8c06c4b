"""Paths for unix sockets: next to the data, or in a private folder under /tmp if that path would be too long."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

LONGEST_PATH_BYTES = 100  # the kernel allows 107


def path(folder: Path, name: str) -> Path:
    """Return the path of the socket `name` of a server whose data is in `folder`. It is the same at every start.

    Raises PermissionError if another user owns, or may enter, the folder under /tmp.
    """
    in_data_folder = folder / name
    if len(str(in_data_folder).encode()) <= LONGEST_PATH_BYTES:
        return in_data_folder
    private = Path(tempfile.gettempdir()) / f"ovseg-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid != os.getuid():
        raise PermissionError(
            f"{private} is open to other users; remove it, or choose a --data-dir with a shorter path"
        )
    return private / name

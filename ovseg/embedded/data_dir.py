"""The folder that a stack keeps everything in, and the lock that one stack at a time holds on it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


class InUse(Exception):
    """Another stack runs on this folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel releases it however this process ends. Raises InUse, which names the holder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    holder = folder / "holder"  # a file of its own: to try a lock may empty the lock's file
    try:
        lock = FileLock(folder / "lock", timeout=0, mode=0o600).acquire()
    except Timeout:
        process = holder.read_text() if holder.exists() else "unknown"
        message = f"another `ovseg up` (process {process}) runs on {folder}; stop it, or choose another --data-dir"
        raise InUse(message) from None
    with lock:
        holder.write_text(str(os.getpid()))
        yield


def private(folder: Path) -> Path:
    """The folder, made if need be, which only we can enter from now on; a copy or an unpacked backup may have been open
    to others.

    Raises PermissionError if another user made it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(folder)
    folder.chmod(0o700)
    return folder


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """The JSON in a file that only we can read; made and written the first time, the same ever after.

    Raises PermissionError if another user made the file.
    """
    if path.exists():
        _check_owner(path)
        return json.loads(path.read_text())
    value = make()
    replace(path, value)
    return value


def replace(path: Path, value: Any) -> None:
    """Write JSON so that a crash leaves either the old file or the new."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2)
    draft.replace(path)


def _check_owner(path: Path) -> None:
    """Whoever made a folder or a file can change it at any time, and may have made it before us where all may write."""
    owner = path.lstat().st_uid
    if owner != os.getuid():
        raise PermissionError(f"{path} belongs to another user (uid {owner}); choose another --data-dir")

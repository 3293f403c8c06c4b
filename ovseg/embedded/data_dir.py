"""The folder with all data of a stack, and its lock: one stack at a time uses a folder."""

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
    """Lock the folder while the block runs. Raises InUse, which names the process that holds the lock.

    The kernel releases the lock however this process ends.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    holder = folder / "holder"  # not the lock's own file, which another process may empty when it tries the lock
    try:
        lock = FileLock(folder / "lock", timeout=0, mode=0o600).acquire()
    except Timeout:
        process = holder.read_text() if holder.exists() else "unknown"
        message = f"another `ovseg up` (process {process}) runs on {folder}; stop it, or choose another --data-dir"
        raise InUse(message) from None
    with lock:
        (folder / "lock").chmod(0o600)  # an earlier version, or a copy of the folder, may have left it open to others
        replace(holder, os.getpid())
        yield


def private(folder: Path) -> Path:
    """Create the folder if it does not exist, and let only our user enter it. Return the folder.

    The mode is set on an existing folder too, because a copy or an unpacked backup may be open to other users.
    Raises PermissionError if another user owns the folder.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_owner(folder)
    folder.chmod(0o700)
    return folder


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return the JSON value in the file. If the file does not exist, make the value and write it first.

    Only our user can read the file. Raises PermissionError if another user owns it.
    """
    if path.exists():
        _check_owner(path)
        return json.loads(path.read_text())
    value = make()
    replace(path, value)
    return value


def replace(path: Path, value: Any) -> None:
    """Write a value as JSON so that a crash leaves either the old file or the new one."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file, indent=2)
    draft.replace(path)


def _check_owner(path: Path) -> None:
    """Raise PermissionError if another user owns the path.

    The owner of a folder or a file can change it at any time, and in a folder where all users may write, another user
    may have created it before us.
    """
    owner = path.lstat().st_uid
    if owner != os.getuid():
        raise PermissionError(f"{path} belongs to another user (uid {owner}); choose another --data-dir")

"""The folder that a stack keeps everything in, and the lock that one stack at a time holds on it."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class InUse(Exception):
    """Another stack runs on this folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it however this process ends. Raises InUse, which names the holder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        os.fchmod(file.fileno(), 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InUse(
                f"another `ovseg up` (process {file.read().strip() or 'unknown'}) runs on {folder}; "
                "stop it, or choose another --data-dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
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

"""The cache of translated networks. Each is made once for all processes of a machine, and found by a digest of its
sources.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from filelock import FileLock

from ovseg_core import digests
from ovseg_core.environment import engines_dir

log = logging.getLogger(__name__)

UNUSED_SECONDS = 14 * 86400  # unused translations of a network are deleted when a new one is made


def folder(name: str, weights: Path, made_with: str, make: Callable[[Path], None]) -> Path:
    """Return the folder with a network's translation from these weights; `make` fills it if it does not exist.

    `made_with` says what else the translation depends on: a change of it makes another one.

    If several processes ask at once, one makes it and the others wait. It is complete or it does not exist. If
    `engines_dir` cannot be written to, the translation is made for this process alone.
    """
    try:
        engines_dir().mkdir(parents=True, exist_ok=True)
        lock = FileLock(engines_dir() / f"{name}.lock").acquire()
    except OSError as error:
        log.warning("%s is translated for this process alone: %s", name, error)
        return _for_this_process(name, make)
    with lock:
        found = engines_dir() / f"{name}-{_key(weights, made_with)}"
        if not found.is_dir():
            _forget_unused(name)
            _make(found, make)
        os.utime(found)
    return found


def _make(found: Path, make: Callable[[Path], None]) -> None:
    part = Path(mkdtemp(prefix=f"{found.name}.part-", dir=engines_dir()))
    try:
        make(part)
        part.rename(found)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _for_this_process(name: str, make: Callable[[Path], None]) -> Path:
    folder = TemporaryDirectory(prefix=f"ovseg-{name}-")
    atexit.register(folder.cleanup)
    make(Path(folder.name))
    return Path(folder.name)


def _key(weights: Path, made_with: str) -> str:
    return hashlib.sha256(f"{digests.of_weights(weights)} {made_with}".encode()).hexdigest()[:16]


def _forget_unused(name: str) -> None:
    for path in engines_dir().glob(f"{name}-*"):
        if path.is_dir() and path.stat().st_mtime < time.time() - UNUSED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)

"""The cache of translated networks.

A network is translated once for all processes of a machine. The key is a digest of what the translation was made from.
"""

from __future__ import annotations

import atexit
import contextlib
import filecmp
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
    """Return the folder with a network's translation. If it does not exist, `make` is called to fill it.

    If several processes call this at the same time, one makes the translation and the others wait. The folder is
    complete or does not exist. If `engines_dir` cannot be written, the translation is made for this process only.

    Args:
        name: of the network, and of what distinguishes its translations, such as the precision.
        weights: a file or folder. A translation is found by the weights' content, not by their path.
        made_with: the other things that the translation depends on, such as our code. If it changes, the translation is
            made again.
        make: writes the translation into a folder.

    Raises what `make` raises.
    """
    try:
        engines_dir().mkdir(parents=True, exist_ok=True)
        lock = FileLock(engines_dir() / f"{name}.lock").acquire()
    except OSError as error:
        log.warning("%s: the cache cannot be written, translating for this process only: %s", name, error)
        return _for_this_process(name, make)
    with lock:
        found = engines_dir() / f"{name}-{_key(weights, made_with)}"
        if not found.is_dir():
            _delete_unused(name)
            _make(found, make)
        os.utime(found)
    return found


def _make(to: Path, make: Callable[[Path], None]) -> None:
    unfinished = Path(mkdtemp(prefix=f"{to.name}.part-", dir=engines_dir()))
    try:
        make(unfinished)
        for weights in unfinished.glob("*.weights"):
            _share(weights)
        unfinished.rename(to)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _share(weights: Path) -> None:
    """Replace a file by a hard link to an equal file of another translation, if there is one.

    A detector has a translation for each size of canvas, with the same weights. Linked files are stored once, and while
    they are mapped, they are in memory once.
    """
    with contextlib.suppress(OSError):  # there are no hard links here, or another process deletes the other file
        for other in engines_dir().glob(f"*/{weights.name}"):
            has_same_size = weights.stat().st_size == other.stat().st_size and not weights.samefile(other)
            if has_same_size and filecmp.cmp(weights, other, shallow=False):
                link = weights.with_suffix(".link")
                link.hardlink_to(other)
                link.replace(weights)
                return


def _for_this_process(name: str, make: Callable[[Path], None]) -> Path:
    folder = TemporaryDirectory(prefix=f"ovseg-{name}-")
    atexit.register(folder.cleanup)
    make(Path(folder.name))
    return Path(folder.name)


def _key(weights: Path, made_with: str) -> str:
    return hashlib.sha256(f"{digests.of_weights(weights)} {made_with}".encode()).hexdigest()[:16]


def _delete_unused(name: str) -> None:
    for path in engines_dir().glob(f"{name}-*"):
        if path.is_dir() and path.stat().st_mtime < time.time() - UNUSED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)

"""Weights from the internet to the models folder: resumed, checked, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

import requests
from filelock import FileLock
from tqdm import tqdm

from ovseg_core import environment
from ovseg_core.models.spec import ModelSpec

CHUNK = 1 << 16  # bytes; a connection that breaks loses as much
TIMEOUT = (10, 60)  # seconds, to connect and between two pieces

Say = Callable[[str], None]


class PullFailed(OSError):
    """The weights could not be had; the message says why, where the file belongs and what needs no download."""


def pull(spec: ModelSpec, say: Say = print) -> Path:
    """The path of a model's weights, which are downloaded if they are not there.

    The mirror that OVSEG_MODELS_MIRROR names is tried first. HTTPS_PROXY and its like are honoured. Two calls at once,
    in one process or two, download once. An interrupted download continues where it ended.

    Raises PullFailed, and ValueError for an OVSEG_MODELS_MIRROR that is no URL of a folder.
    """
    if spec.is_installed:
        return spec.weights
    mirror = environment.models_mirror()
    spec.weights.parent.mkdir(parents=True, exist_ok=True)
    urls = [f"{mirror.rstrip('/')}/{_file_name(spec)}"] if mirror else []
    urls += spec.urls
    if not urls:
        raise PullFailed(_advice(spec, "nobody offers it for download"))
    with FileLock(f"{spec.weights}.lock"):
        if spec.weights.exists():  # another process was faster
            return spec.weights
        reasons = []
        for url in urls:
            try:
                return _fetched(spec, url, say)
            except requests.ConnectionError:
                reasons.append(f"no connection to {urlsplit(url).netloc}")
            except (requests.RequestException, OSError, PullFailed, tarfile.TarError) as error:
                reasons.append(f"{url}: {error}")
    raise PullFailed(_advice(spec, "; ".join(reasons)))


def checked(spec: ModelSpec, path: Path) -> str | None:
    """What is wrong with a file of weights, or None. What nobody has published is not compared, nor is a folder: sums
    are of the archive that it came in."""
    if path.is_dir():
        return None
    size = path.stat().st_size
    if spec.size is not None and size != spec.size:
        return f"it has {size} bytes, not {spec.size}"
    if spec.sha256 is None:
        return None
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return None if found == spec.sha256 else f"its SHA-256 is {found}, not {spec.sha256}"


def _fetched(spec: ModelSpec, url: str, say: Say) -> Path:
    part = spec.weights.with_name(f"{_file_name(spec)}.part")
    say(f"fetching {spec.name} from {url}")
    _append(url, part, spec.name)
    if wrong := checked(spec, part):
        part.unlink()
        raise PullFailed(f"the file is not what it should be: {wrong}")
    if spec.family.index_file is not None:
        try:
            _unpack(part, spec.weights, spec.family.index_file)
        except (tarfile.TarError, PullFailed):
            part.unlink()  # it will not get better
            raise
        part.unlink()
    else:
        part.replace(spec.weights)  # atomic: whoever looks sees all of it or nothing
    return spec.weights


def _file_name(spec: ModelSpec) -> str:
    return f"{spec.weights.name}.tar" if spec.is_folder else spec.weights.name


def _unpack(archive: Path, folder: Path, index_file: str) -> None:
    """A tar of an inference model, at its root or in one folder, becomes the folder, whole or not at all.

    Raises PullFailed for a tar without one. Only the files beside its `index_file` are taken, by their last names:
    none can leave the folder. (tarfile's own filter for that came with Python 3.11.4; Debian 12 has 3.11.2.)
    """
    beside = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with tarfile.open(archive) as tar:
            files = [member for member in tar if member.isfile()]
            homes = [posixpath.dirname(file.name) for file in files if posixpath.basename(file.name) == index_file]
            if not homes:
                raise PullFailed(f"the archive has no {index_file}")
            beside.mkdir(parents=True)
            for file in files:
                if posixpath.dirname(file.name) == homes[0]:
                    with (beside / posixpath.basename(file.name)).open("wb") as to:
                        shutil.copyfileobj(cast(IO[bytes], tar.extractfile(file)), to)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _append(url: str, part: Path, label: str) -> None:
    """Fetch what is not in `part` yet."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # we have all of it, or more than there is, which the check will tell
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        length = answer.headers.get("Content-Length")
        total = int(length) + (have if resumed else 0) if length else None
        bar = tqdm(total=total, initial=have if resumed else 0, unit="B", unit_scale=True, desc=label, leave=False)
        with part.open("ab" if resumed else "wb") as file, bar:
            for piece in answer.iter_content(CHUNK):
                file.write(piece)
                bar.update(len(piece))
            file.flush()
            os.fsync(file.fileno())
    if total is not None and part.stat().st_size < total:
        raise PullFailed(f"cut after {part.stat().st_size} of {total} bytes; run it again to go on from there")


def _advice(spec: ModelSpec, reason: str) -> str:
    what = "archive, unpacked," if spec.is_folder else "file"
    names = {posixpath.basename(urlsplit(url).path) for url in spec.urls} or {spec.weights.name}
    return (
        f"{spec.name} could not be fetched ({reason}). Put the {what} {' or '.join(sorted(names))} at {spec.weights} "
        "yourself, or use SAM-Lite, which needs no download."
    )

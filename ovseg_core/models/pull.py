"""Download weights to the models folder: resumed, verified, recorded, and stored completely or not at all."""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast
from urllib.parse import quote, unquote, urlsplit

import requests
from filelock import FileLock
from tqdm import tqdm

from ovseg_core import environment
from ovseg_core.models import record
from ovseg_core.models.published import Published
from ovseg_core.models.record import FileSum, Record
from ovseg_core.models.spec import ModelSpec

CHUNK = 1 << 16  # bytes; a broken connection loses at most this much
TIMEOUT = (10, 60)  # seconds, to connect and between two pieces

Say = Callable[[str], None]


class PullFailed(OSError):
    """The weights could not be downloaded.

    The message says why, where to put the file, and for a model also which one needs no download.
    """


def pull(spec: Published, say: Say = print) -> Path:
    """Return the path of the weights of a model or detector. If they are not there, download them.

    The mirror in OVSEG_MODELS_MIRROR is tried first. Proxies in HTTPS_PROXY and similar variables are used. Two calls
    at the same time, in one process or two, download once. An interrupted download is resumed. A `Record` of the
    fetched files is written next to them.

    Raises:
        PullFailed: No address of the weights worked.
        ValueError: OVSEG_MODELS_MIRROR is not the URL of a folder.
    """
    if spec.is_installed:
        return spec.weights
    mirror = environment.models_mirror()
    urls = [f"{mirror.rstrip('/')}/{quote(_file_name(spec))}"] if mirror else []
    urls += spec.urls
    if not urls:
        raise PullFailed(_advice(spec, "no address to download it from is known"))
    folder = spec.weights.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{spec.weights}.lock").acquire()
    except OSError as error:
        raise PullFailed(_advice(spec, f"{folder} cannot be written: {error.strerror}")) from None
    with lock:
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


def _fetched(spec: Published, url: str, say: Say) -> Path:
    part = spec.weights.with_name(f"{_file_name(spec)}.part")
    say(f"fetching {spec.name} from {url}")
    _append(url, part, spec.name)
    found = FileSum.of(part)
    if wrong := found.difference(spec.size, spec.sha256):
        part.unlink()
        raise PullFailed(f"the file is not as published: {wrong}")
    if spec.index_file is None:
        _install(spec, part, url, {spec.weights.name: found})
        return spec.weights
    draft = spec.weights.with_name(f"{spec.weights.name}.unpacking")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _unpack(part, draft, spec.index_file)
        _install(spec, draft, url, record.sums(draft))
    except (tarfile.TarError, PullFailed):
        part.unlink()  # another attempt would fail with the same file
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    part.unlink()
    return spec.weights


def _install(spec: Published, complete: Path, url: str, sums: Mapping[str, FileSum]) -> None:
    """Move complete weights to their place, after their record, so that no fetched weights lack a record."""
    Record.now(spec.weights.name, url, sums).write(spec.weights)
    complete.replace(spec.weights)  # atomic: another process sees the complete weights or none


def _file_name(spec: Published) -> str:
    return f"{spec.weights.name}.tar" if spec.is_folder else spec.weights.name


def _unpack(archive: Path, to: Path, index_file: str) -> None:
    """Unpack a tar of an inference model, at its root or in one folder, to the new folder `to`.

    Only the files next to `index_file`, and in folders next to it, are unpacked, so that none can leave the folder.
    (tarfile's own filter for that came with Python 3.11.4; Debian 12 has 3.11.2.) Raises PullFailed if the tar has no
    `index_file`.
    """
    with tarfile.open(archive) as tar:
        files = {PurePosixPath(member.name): member for member in tar if member.isfile()}
        homes = [path.parent for path in files if path.name == index_file]
        if not homes:
            raise PullFailed(f"the archive has no {index_file}")
        to.mkdir(parents=True)
        for path, member in files.items():
            if path.is_relative_to(homes[0]) and ".." not in path.parts:
                target = to / path.relative_to(homes[0])
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as unpacked:
                    shutil.copyfileobj(cast(IO[bytes], tar.extractfile(member)), unpacked)


def _append(url: str, part: Path, label: str) -> None:
    """Download the part of the file that is missing in `part`."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # the part has all bytes, or too many; the check will find out
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
        raise PullFailed(f"cut after {part.stat().st_size} of {total} bytes; run the command again to resume")


def _advice(spec: Published, reason: str) -> str:
    what = "archive, unpacked," if spec.is_folder else "file"
    names = {unquote(posixpath.basename(urlsplit(url).path)) for url in spec.urls} or {spec.weights.name}
    instead = ", or use SAM-Lite, which needs no download" if isinstance(spec, ModelSpec) else ""
    where = f"Put the {what} {' or '.join(sorted(names))} at {spec.weights} yourself{instead}."
    return f"{spec.name} could not be fetched ({reason}). {where}"

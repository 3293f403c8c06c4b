"""The files of all jobs of a batch as one tar archive, which is made while it is sent.

A tar has no table of contents, so that of millions of files takes no memory; a ZIP's table would take half a gigabyte.
"""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, NamedTuple

from worker.batch.batch import Batch
from worker.batch.outcome import Outcome, Outcomes
from worker.job import job_file
from worker.job.job_file import JobFile
from worker.job.record import Job
from worker.store.storage import Beginning, ObjectMissing, Storage

Kind = Literal["result", "overlay", "masks", "image"]
USUAL: tuple[Kind, ...] = ("result", "overlay", "masks")

THREADS = 8  # that read from storage, for all requests of a process
# A file is read up to here while earlier ones are sent. Of masks and results this is all; the rest of a longer file is
# streamed, so that an archive takes 2 MB of memory.
READ_AHEAD_BYTES = 256 * 1024


class Entry(NamedTuple):
    """A file of an item. `beginning` is None if storage no longer has the file."""

    name: str
    job: Job
    file: JobFile
    beginning: Beginning | None


class BatchFiles:
    """Reads the files of batches, a few at a time. Thread-safe."""

    def __init__(self, outcomes: Outcomes, storage: Storage) -> None:
        self._outcomes = outcomes
        self._storage = storage
        self._threads = ThreadPoolExecutor(THREADS, "files")

    def tar(self, batch: Batch, kinds: Collection[Kind]) -> Iterator[bytes]:
        """Yield an archive with the files of these kinds, in the order of the manifest: `<item id>/<name of the file>`.

        A file that storage no longer has is left out. Raises the errors of Redis and storage.
        """
        for entry in self._entries(batch, kinds):
            if entry.beginning is not None:
                yield from self._packed(entry, entry.beginning)
        yield bytes(2 * tarfile.BLOCKSIZE)  # the end of an archive

    def _packed(self, entry: Entry, beginning: Beginning) -> Iterator[bytes]:
        size, data = beginning.head.size, beginning.data
        info = tarfile.TarInfo(entry.name)
        info.size, info.mtime = size, int((entry.job.completed_at or entry.job.accepted_at).timestamp())
        yield info.tobuf(tarfile.PAX_FORMAT) + data
        if size > len(data):
            yield from self._storage.stream(entry.file.key, beginning.head.etag, len(data), size - 1)
        if rest := size % tarfile.BLOCKSIZE:
            yield bytes(tarfile.BLOCKSIZE - rest)

    def _entries(self, batch: Batch, kinds: Collection[Kind]) -> Iterator[Entry]:
        """Yield all files. While one is used, the next ones are read from storage."""
        reading: deque[Future[Entry]] = deque()
        try:
            for outcome in (each for some in self._outcomes.of(batch) for each in some):
                for file in _files(outcome, kinds):
                    reading.append(self._threads.submit(self._entry, outcome, file))
                    if len(reading) > THREADS:
                        yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            for each in reading:
                each.cancel()

    def _entry(self, outcome: Outcome, file: JobFile) -> Entry:
        assert outcome.job is not None  # it has a file
        try:
            beginning = self._storage.begin(file.key, READ_AHEAD_BYTES)
        except ObjectMissing:
            beginning = None
        return Entry(f"{safe(outcome.item.id)}/{file.name}", outcome.job, file, beginning)


def safe(item_id: str) -> str:
    """Return an item's id as a path that leads into no other folder. The characters that are changed become %XX."""
    escaped = item_id.replace("%", "%25").replace("\\", "%5C")
    parts = (part.replace(".", "%2E") if part in (".", "..") else part or "%" for part in escaped.split("/"))
    return "/".join(parts)


def _files(outcome: Outcome, kinds: Collection[Kind]) -> Iterator[JobFile]:
    if outcome.job is None:
        return
    yield from (file for file in job_file.of_result(outcome.job) if _kind(file) in kinds)
    if "image" in kinds and outcome.job.request.image.key is not None:
        image = job_file.find(outcome.job, job_file.IMAGE)
        if image is not None:
            yield image


def _kind(file: JobFile) -> str:
    return file.name.partition("/")[0].partition(".")[0]  # masks/0000.png, overlay.jpg

"""A job's result to files in storage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from ovseg_core import outputs
from ovseg_core.outputs import Segmentation
from ovseg_core.paddlex import serving_result
from worker.job.record import Job
from worker.store import object_names
from worker.store.storage import Storage


@dataclass(frozen=True)
class Upload:
    key: str
    content_type: str
    make: Callable[[], bytes]  # called by the thread that uploads it, so that not all files exist at once


def store(job: Job, segmentation: Segmentation, storage: Storage, threads: Executor) -> None:
    """Store what the job asked for under its attempt's prefix; returns when everything is stored."""

    def put(upload: Upload) -> None:
        storage.put(upload.key, upload.make(), upload.content_type)

    for _ in threads.map(put, _uploads(job, segmentation)):
        pass


def _uploads(job: Job, segmentation: Segmentation) -> Iterator[Upload]:
    prefix, count = job.attempt_prefix, len(segmentation.masks)
    for file in outputs.files(job.request.outputs, segmentation.image_hw):
        for path, make in zip(file.paths(count), file.makers(segmentation), strict=True):
            yield Upload(prefix + path, file.content_type, make)
    yield Upload(object_names.result(prefix), "application/json", lambda: _document(job, segmentation))


def _document(job: Job, segmentation: Segmentation) -> bytes:
    """PaddleX's whole answer, as its serving route gives it."""
    result = serving_result.of(segmentation.masks, segmentation.prompts, job.request.outputs)
    return json.dumps({"logId": job.id, "result": result, **serving_result.SUCCESS}, separators=(",", ":")).encode()

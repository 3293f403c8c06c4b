"""Writes a job's result to storage, as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

from ovseg_core import outputs
from ovseg_core.outputs import Detection, Drawing, Segmentation
from ovseg_core.paddlex import serving_result
from worker.job import ephemeral, result_document
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.store import object_names
from worker.store.storage import Storage


@dataclass(frozen=True)
class Upload:
    key: str
    content_type: str
    make: Callable[[], bytes]  # the uploading thread calls it, so that not all files are in memory at once


class Stored(NamedTuple):
    """The document of a result, and the bytes of all files of the attempt, the document among them."""

    document: bytes
    size: int


def store(job: Job, drawing: Drawing, weights_sha256: str, storage: Storage, threads: Executor) -> Stored:
    """Store the job's outputs under its attempt's prefix. Returns when everything is stored.

    `weights_sha256` is the digest of the model's weights, which the result names. Of an ephemeral job nothing is
    stored. Raises OvsegError as `ephemeral.check_result`.
    """
    if job.request.ephemeral:
        document = _document(job, drawing, weights_sha256)
        ephemeral.check_result(document)
        return Stored(document, 0)

    def put(upload: Upload) -> int:
        data = upload.make()
        storage.put(upload.key, data, upload.content_type)
        return len(data)

    sizes = threads.map(put, _uploads(job, drawing))  # begins now
    document = _document(job, drawing, weights_sha256)
    storage.put(object_names.result(job.attempt_prefix), document, "application/json")
    return Stored(document, len(document) + sum(sizes))


def _uploads(job: Job, drawing: Drawing) -> Iterator[Upload]:
    prefix, count = job.attempt_prefix, len(drawing.answers)
    for file in outputs.files(job.request.outputs, drawing.image_hw):
        for path, make in zip(file.paths(count), file.makers(drawing), strict=True):
            yield Upload(prefix + path, file.content_type, make)


def _document(job: Job, drawing: Drawing, weights_sha256: str) -> bytes:
    result = _of_detection(drawing) if isinstance(drawing, Detection) else _of_segmentation(drawing, job.request)
    result["made_by"] = {"model": job.request.model, "sha256": weights_sha256, "ovseg": _version()}
    return json.dumps(result_document.of(job.shown_id, result), separators=(",", ":")).encode()


def _of_segmentation(segmentation: Segmentation, request: JobRequest) -> dict[str, Any]:
    polygons = request.polygons
    options = {} if polygons is None else {"polygons": polygons.model_dump()}
    result = serving_result.of(segmentation.answers, request.outputs, options)
    _add_notes(result, request)
    if segmentation.dropped:
        result["masks_dropped"] = segmentation.dropped
    return result


def _of_detection(detection: Detection) -> dict[str, Any]:
    """Return no masks, and the objects in the words of PaddleX's service for `open_vocabulary_detection`."""
    objects = [
        {"bbox": each["coordinate"], "categoryName": each["label"], "score": each["score"]}
        for each in detection.objects
    ]
    return {"maskInfos": [], "detectedObjects": objects}


@cache
def _version() -> str:
    return version("ovseg")


def _add_notes(result: dict[str, Any], request: JobRequest) -> None:
    """Add the client's words for each mask's prompt, and the prompts that were skipped."""
    notes = request.notes or ()
    if notes:
        for info in result["maskInfos"]:
            info.update(notes[info["prompt_index"]].words)
    if request.on_invalid_prompt == "skip":
        result["skipped"] = [
            {"prompt_index": i, **note.to_dict()} for i, note in enumerate(notes) if note.error is not None
        ]

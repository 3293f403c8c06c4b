"""Masks to files in storage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from ovseg_core import overlay, png_file, results
from ovseg_core.masks import Mask
from worker.job.record import Job
from worker.store import object_names
from worker.store.storage import Storage

Picture = Callable[[], np.ndarray]  # reads the image, (H, W, 3) uint8 RGB


@dataclass(frozen=True)
class File:
    key: str
    content_type: str
    make: Callable[[], bytes]  # called by the thread that uploads it, so that not all files exist at once


def result(job: Job, picture: Picture, masks: Sequence[Mask], storage: Storage, uploads: Executor) -> None:
    """Store what the job asked for under its attempt's prefix; returns when everything is stored."""

    def store(file: File) -> None:
        storage.put(file.key, file.make(), file.content_type)

    for _ in uploads.map(store, _files(job, picture, masks)):
        pass


def _files(job: Job, picture: Picture, masks: Sequence[Mask]) -> Iterator[File]:
    wanted, prefix, prompts = job.request.outputs, job.attempt_prefix, job.request.prompts
    if "overlay" in wanted:
        yield File(object_names.overlay_jpeg(prefix), "image/jpeg", lambda: overlay.jpeg(picture(), masks, prompts))
        # That JPEG is scaled down where no JPEG can hold the picture, for PaddleX's route. The job's overlay never is.
        image_hw = masks[0].image_hw if masks else picture().shape[:2]
        if (key := object_names.overlay(prefix, image_hw)) != object_names.overlay_jpeg(prefix):
            yield File(key, "image/png", lambda: overlay.png(picture(), masks, prompts))
    if "png" in wanted:
        for i, mask in enumerate(masks):
            yield File(object_names.mask(prefix, i), "image/png", partial(_png, mask))
    yield File(object_names.result(prefix), "application/json", lambda: _document(job, masks))


def _document(job: Job, masks: Sequence[Mask]) -> bytes:
    """PaddleX's whole answer, as its serving route gives it."""
    wanted = job.request.outputs
    result = results.document(masks, job.request.prompts, "rle" in wanted, "polygons" in wanted)
    return json.dumps({"logId": job.id, "result": result, **results.SUCCESS}, separators=(",", ":")).encode()


def _png(mask: Mask) -> bytes:
    """The whole frame, 255 on the object and 0 elsewhere."""
    return png_file.of(mask.full().view(np.uint8) * np.uint8(255))

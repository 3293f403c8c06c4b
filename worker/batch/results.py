"""The results of a batch as one document: JSON lines with everything, or a data set in COCO's format."""

from __future__ import annotations

import json
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from itertools import count
from typing import IO, Any, NamedTuple

from worker.batch.batch import Batch
from worker.batch.outcome import Outcome, Outcomes
from worker.job import mask_name, result_document
from worker.job.record import Status
from worker.store.storage import ObjectMissing, Storage

THREADS = 8  # that read results from storage, for all requests of a process
PIECE_BYTES = 64 * 1024
IN_MEMORY_BYTES = 1_000_000  # a longer list of a data set's images, which comes after its annotations, is in a file


class Ended(NamedTuple):
    """An item and its job's result. `result` is None if there is none; `gone` is the reason if it cannot be read."""

    outcome: Outcome
    result: dict[str, Any] | None
    gone: str | None


class Results:
    """Reads the results of batches, which are larger than memory, a few at a time. Thread-safe."""

    def __init__(self, outcomes: Outcomes, storage: Storage) -> None:
        self._outcomes = outcomes
        self._storage = storage
        self._threads = ThreadPoolExecutor(THREADS, "results")

    def lines(self, batch: Batch) -> Iterator[bytes]:
        """Yield lines of JSON, one for each item in the order of the manifest, some at a time."""
        return _in_pieces(json.dumps(_line(each), separators=(",", ":")) + "\n" for each in self._of(batch))

    def coco(self, batch: Batch) -> Iterator[bytes]:
        """Yield a data set in COCO's format, a piece at a time: images that succeeded, and their masks as RLE."""
        categories: dict[str, int] = {}
        info = json.dumps({"description": f"batch {batch.shown_id}", "version": f"ovseg {version('ovseg')}"})
        yield f'{{"info":{info},"licenses":[],"annotations":['.encode()
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as images:
            yield from _in_pieces(self._annotations(batch, images, categories))
            yield b'],"images":['
            images.seek(0)
            while piece := images.read(IN_MEMORY_BYTES):
                yield piece
        names = [{"id": category, "name": name} for name, category in categories.items()]
        yield f'],"categories":{json.dumps(names)}}}\n'.encode()

    def _annotations(self, batch: Batch, images: IO[bytes], categories: dict[str, int]) -> Iterator[str]:
        """Yield the masks of a data set, with commas between them. Write the images to `images` in the same way."""
        ids = count(1)
        for number, each in enumerate(self._of(batch), 1):
            if each.result is not None:
                images.write((b"," if images.tell() else b"") + json.dumps(_image(number, each)).encode())
                for annotation in _annotations(number, each.result, categories):
                    its_id = next(ids)
                    row = json.dumps({"id": its_id, **annotation}, separators=(",", ":"))
                    yield f",{row}" if its_id > 1 else row

    def _of(self, batch: Batch) -> Iterator[Ended]:
        """Yield all items with their results. While one is used, the next ones are read from storage."""
        reading: deque[Future[Ended]] = deque()
        try:
            for some in self._outcomes.of(batch):
                for outcome in some:
                    reading.append(self._threads.submit(self._ended, outcome))
                    if len(reading) > THREADS:
                        yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            for each in reading:
                each.cancel()

    def _ended(self, outcome: Outcome) -> Ended:
        if outcome.job is None or outcome.job.files_prefix is None:
            return Ended(outcome, None, None)
        try:
            return Ended(outcome, result_document.read_result(outcome.job, self._storage), None)
        except ObjectMissing as missing:
            return Ended(outcome, None, missing.reason)


def _in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield these texts joined to pieces of about PIECE_BYTES."""
    piece = bytearray()
    for text in texts:
        piece += text.encode()
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _line(ended: Ended) -> dict[str, Any]:
    item, status, job = ended.outcome.item, ended.outcome.status, ended.outcome.job
    error = job.error if job is not None and job.status is Status.FAILED else None
    return {
        "id": item.id,
        "job": job and job.shown_id,
        "status": status,
        "error": error and {"code": error.code, "message": error.message, "field": error.field},
        "image": job and job.image,
        "metadata": item.request.metadata,
        "result": ended.result,
        "result_gone": ended.gone and {"reason": ended.gone},
    }


def _image(number: int, ended: Ended) -> dict[str, Any]:
    """Return COCO's entry of an image, whose id is the number of its item in the manifest."""
    job = ended.outcome.job
    size = (job and job.image) or {}
    url = ended.outcome.item.request.image.url
    found = {"id": number, "file_name": ended.outcome.item.id, "width": size.get("width"), "height": size.get("height")}
    return {**found, **({"coco_url": url} if url else {})}


def _annotations(number: int, result: dict[str, Any], categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    """Yield COCO's entries of the masks of an image, without their ids."""
    masks = result.get("masks") or [None] * len(result["maskInfos"])
    for info, mask in zip(result["maskInfos"], masks, strict=True):
        x0, y0, x1, y1 = info["box"]
        segmentation = None if mask is None else {"size": mask["size"], "counts": mask["rleResult"]}
        yield {
            "image_id": number,
            "category_id": categories.setdefault(mask_name.of(info) or mask_name.UNNAMED, len(categories) + 1),
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": info["area"],
            "iscrowd": 0,
            **({"segmentation": segmentation} if segmentation else {}),
            **({} if info.get("score") is None else {"score": info["score"]}),
            **({"prompt_id": info["id"]} if "id" in info else {}),
        }

"""The files of a job that a client can download one by one, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ovseg_core import outputs
from worker.job.record import Job
from worker.store import object_names

IMAGE, PREVIEW = "image", "preview"
# The types of images that browsers show. Files of other formats are only saved.
TYPE_OF_FORMAT = {name: f"image/{name.lower()}" for name in ("AVIF", "BMP", "JPEG", "PNG", "WEBP")}
OTHER = "application/octet-stream"
TYPES = (*TYPE_OF_FORMAT.values(), OTHER)


@dataclass(frozen=True)
class JobFile:
    """A file in storage. `name` is `result.json`, `overlay.jpg`, `masks/0000.png` and so on, `image`, or `preview`.

    A file that `is_made_when_asked` is stored once a worker has made it for a client that asked for it.
    """

    name: str
    key: str
    content_type: str
    is_made_when_asked: bool = False


def find(job: Job, name: str) -> JobFile | None:
    """Return the file of a job with this name; None if the job has none. An ephemeral job stores no files."""
    if job.request.ephemeral:
        return None
    if name == PREVIEW:
        return JobFile(PREVIEW, object_names.asked_file(job.id, PREVIEW), TYPE_OF_FORMAT["JPEG"], True)
    if name == IMAGE:
        return _image(job)
    return next((file for file in of_result(job) if file.name == name), None)


def of_result(job: Job) -> Iterator[JobFile]:
    """Yield the files of a job that succeeded; none of another one."""
    if job.files_prefix is None:
        return
    yield JobFile("result.json", object_names.result(job.files_prefix), "application/json")
    for file in outputs.files(job.request.outputs, job.image_hw):
        for path in file.paths(job.mask_count):
            yield JobFile(path, job.files_prefix + path, file.content_type)


def _image(job: Job) -> JobFile:
    """Return the image of a job. A worker must fetch one that is behind a URL."""
    source = job.request.image
    known = source.content.format if source.content is not None else (job.image or {}).get("format")
    content_type = TYPE_OF_FORMAT.get(str(known), OTHER)
    if source.key is None:
        return JobFile(IMAGE, object_names.asked_file(job.id, IMAGE), content_type, True)
    return JobFile(IMAGE, source.key, content_type)

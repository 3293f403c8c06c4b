"""The job object: the same JSON when a job is submitted, looked at, listed or told by webhook."""

from __future__ import annotations

import json
from typing import Any

from ovseg_core import outputs
from worker.job.record import Job, Status
from worker.store import object_names
from worker.store.clock import timestamp
from worker.store.storage import ObjectMissing, Storage


def describe(job: Job, storage: Storage | None = None) -> dict[str, Any]:
    """Everything but the result itself, which may be large: `files.result` says where it lies.

    Without `storage` the files have no URLs: a list of jobs with a thousand masks each would sign for a minute.
    """
    request = job.request
    return {
        "id": job.id,
        "status": job.status,
        "model": request.model,
        "outputs": list(request.outputs),
        "prompts": [prompt.to_dict() for prompt in request.prompts],
        **request.options,
        "image": {
            "url": request.image.url,
            "key": request.image.key,
            **(job.image or {"width": None, "height": None, "format": None}),
        },
        "accepted_at": timestamp(job.accepted_at),
        "started_at": timestamp(job.started_at),
        "cancel_requested_at": timestamp(job.cancel_requested_at),
        "completed_at": timestamp(job.completed_at),
        "attempt": job.attempt,
        "worker": job.worker,
        "timings_ms": job.timings_ms,
        "engine": job.run and job.run.engine,
        "precision": job.run and job.run.precision,
        "embedding_cache": job.run and job.run.embedding_cache,
        "error": _error(job),
        "files": _files(job, storage),
        "result": None,
        "result_gone": None,
    }


def describe_with_result(job: Job, storage: Storage) -> dict[str, Any]:
    """The whole job object; reads the result from storage once there is one, and says so where it is gone."""
    described = describe(job, storage)
    if job.files_prefix is not None:
        try:
            described["result"] = read_result(job.files_prefix, storage)
        except ObjectMissing as missing:
            described["result_gone"] = {"reason": missing.reason}
            readable = () if missing.is_archived else storage.list(job.files_prefix)
            described["files"] = _without_urls(described["files"], set(readable))
    return described


def read_result(files_prefix: str, storage: Storage) -> dict[str, Any]:
    """The result of a succeeded job, from storage. Raises ObjectMissing."""
    document: dict[str, Any] = json.loads(storage.get(object_names.result(files_prefix)))
    result: dict[str, Any] = document["result"]
    return result


def _error(job: Job) -> dict[str, str | None] | None:
    if job.status is not Status.FAILED or job.error is None:
        return None  # an error that a later attempt made good is history
    return {"code": job.error.code, "message": job.error.message, "field": job.error.field}


def _files(job: Job, storage: Storage | None) -> dict[str, Any]:
    if job.files_prefix is None:
        return {}
    prefix, request = job.files_prefix, job.request
    named: dict[str, Any] = {"result": _file(object_names.result(prefix), storage)}
    for file in outputs.files(request.outputs, _image_hw(job)):
        each = [_file(prefix + path, storage) for path in file.paths(len(request.prompts))]
        named[file.shown_as] = each if file.is_per_mask else each[0]
    return named


def _without_urls(named: dict[str, Any], readable: set[str]) -> dict[str, Any]:
    """The files of a job object, with a URL only for those keys that can be read."""

    def shown(file: dict[str, str | None]) -> dict[str, str | None]:
        return file if file["key"] in readable else {**file, "url": None}

    return {name: list(map(shown, file)) if isinstance(file, list) else shown(file) for name, file in named.items()}


def _image_hw(job: Job) -> tuple[int, int]:
    image = job.image or {}
    return image.get("height") or 0, image.get("width") or 0


def _file(key: str, storage: Storage | None) -> dict[str, str | None]:
    return {"key": key, "url": storage.sign(key) if storage else None}

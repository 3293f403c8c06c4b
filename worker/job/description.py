"""The job object: the same JSON when a job is submitted, shown, listed or delivered by webhook."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ovseg_core import outputs
from worker.job import ephemeral, result_document
from worker.job.jobs import Place
from worker.job.prompt_note import PromptNote
from worker.job.record import Job, Status
from worker.job.request import JobRequest
from worker.store import object_names, tenant
from worker.store.clock import timestamp
from worker.store.storage import ObjectMissing, Storage

JOBS = "/v1/jobs"  # the path of the gateway's routes for jobs


def describe(job: Job, storage: Storage | None = None, place: Place | None = None) -> dict[str, Any]:
    """Return the job object without its result, which may be large: `files.result` names its file.

    Without `storage` the files have no URLs: to sign those of a list of jobs with 1,000 masks each takes a minute.
    `place` is that of a queued job; it is left out where each look at the queue would be a further call to Redis.
    """
    request = job.request
    return {
        "id": job.shown_id,
        "status": job.status,
        "is_final": job.status.is_terminal,
        "urls": _urls(job),
        "queue": place and asdict(place),
        "model": request.model,
        "outputs": list(request.outputs),
        "prompts": _prompts(request),
        "detector": request.detector,
        "detection": request.detection,
        "multimask": request.multimask or ("best" if request.prompts else None),
        "on_invalid_prompt": request.on_invalid_prompt or ("fail" if request.prompts or request.texts else None),
        "polygons": request.polygons and request.polygons.model_dump(),
        "ephemeral": request.ephemeral is not None,
        **request.options,
        "batch": job.batch and {"id": tenant.shown(job.batch), "item": job.item},
        "image": {
            "url": request.image.url or request.image.s3,
            "key": None if ephemeral.holds_image(job) else request.image.key,
            **(job.image or {"width": None, "height": None, "format": None}),
        },
        "accepted_at": timestamp(job.accepted_at),
        "started_at": timestamp(job.started_at),
        "cancel_requested_at": timestamp(job.cancel_requested_at),
        "completed_at": timestamp(job.completed_at),
        "attempt": job.attempt,
        "worker": job.worker,
        "progress": job.progress,
        "timings_ms": job.timings_ms,
        "engine": job.run and job.run.engine,
        "precision": job.run and job.run.precision,
        "embedding_cache": job.run and job.run.embedding_cache,
        "error": _error(job),
        "files": files(job, storage),
        "result": None,
        "result_gone": None,
    }


def describe_with_result(job: Job, storage: Storage, place: Place | None = None) -> dict[str, Any]:
    """Return the job object with its result; `result_gone` has the reason if the result is no longer in storage."""
    described = describe(job, storage, place)
    if job.request.ephemeral and job.status is Status.SUCCEEDED:
        if job.document is None:  # Redis had no room for the results of so many jobs
            described["result_gone"] = {"reason": "evicted"}
        else:
            described["result"] = result_document.read_result(job, storage)
    if job.files_prefix is not None:
        try:
            described["result"] = result_document.read_result(job, storage)
        except ObjectMissing as missing:
            described["result_gone"] = {"reason": missing.reason}
            readable = () if missing.is_archived else storage.list(job.files_prefix)
            described["files"] = _without_urls(described["files"], set(readable))
    return described


def _prompts(request: JobRequest) -> Any:
    if request.everything is not None:
        return {"everything": request.everything}
    if request.detect is not None:
        return {"detect": request.detect}
    given = request.prompts_by_position
    notes = request.notes or [PromptNote()] * len(given)
    return [{**note.to_dict(), **(given[i].to_dict() if i in given else {})} for i, note in enumerate(notes)]


def _error(job: Job) -> dict[str, str | None] | None:
    if job.status is not Status.FAILED or job.error is None:
        return None  # a later attempt succeeded, so the error of an earlier one is not shown
    return {"code": job.error.code, "message": job.error.message, "field": job.error.field}


def _urls(job: Job) -> dict[str, str]:
    """Return the paths of the routes for this job, on the host that was asked for it."""
    path = f"{JOBS}/{job.shown_id}"
    return {"self": path, "cancel": f"{path}/cancel", "retry": f"{path}/retry", "files": f"{path}/files"}


def files(job: Job, storage: Storage | None) -> dict[str, Any]:
    """Return `files` of the job object; without `storage`, without URLs."""
    if job.files_prefix is None:
        return {}
    prefix = job.files_prefix
    named: dict[str, Any] = {"result": _file(object_names.result(prefix), storage)}
    for file in outputs.files(job.request.outputs, job.image_hw):
        each = [_file(prefix + path, storage) for path in file.paths(job.mask_count)]
        named[file.shown_as] = each if file.is_per_mask else each[0]
    return named


def _without_urls(named: dict[str, Any], readable: set[str]) -> dict[str, Any]:
    """Return the files of a job object, with URLs only for the keys that are readable."""

    def shown(file: dict[str, str | None]) -> dict[str, str | None]:
        return file if file["key"] in readable else {**file, "url": None}

    return {name: list(map(shown, file)) if isinstance(file, list) else shown(file) for name, file in named.items()}


def _file(key: str, storage: Storage | None) -> dict[str, str | None]:
    return {"key": key, "url": storage.links.sign(key) if storage else None}

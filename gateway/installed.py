"""Refuses a job that needs a detector which no live worker has."""

from __future__ import annotations

from gateway.services import services
from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.models import Published
from worker.job.request import JobRequest
from worker.process import roster

MEGABYTE = 1_000_000


def check(job_request: JobRequest) -> None:
    """Check that a live worker has the detector and the model of a job that searches for phrases.

    Other jobs are accepted without this check, which takes a round trip to Redis. If no worker is alive for the job's
    device, it is unknown what workers have, and the job waits for one.

    Raises OvsegError `model_not_installed`; its `field` is `detector` or `model`.
    """
    if job_request.detector is None:
        return
    device, found = job_request.device, roster.workers(services().keyspace)
    installed = [worker.models.installed for worker in found if device in ("auto", worker.device)]
    if installed and not any(job_request.detector in each for each in installed):
        raise _missing(models.find_detector(job_request.detector), "detector")
    if installed and job_request.texts and not any(job_request.model in each for each in installed):
        raise _missing(models.find(job_request.model), "model")


def _missing(spec: Published, field: str) -> OvsegError:
    size = "" if spec.size is None else f" ({spec.size / MEGABYTE:,.0f} MB)"
    message = f"no worker has {spec.name}; `ovseg models pull {spec.name}` on a worker's machine fetches it{size}"
    return OvsegError("model_not_installed", message, field)

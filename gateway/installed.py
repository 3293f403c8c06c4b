"""Refuses jobs that need a detector which no live worker has."""

from __future__ import annotations

from functools import cached_property

from gateway.services import services
from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.models import Published
from worker.job.request import JobRequest
from worker.process import roster
from worker.process.roster import Worker

MEGABYTE = 1_000_000


class Installed:
    """The models and detectors that live workers have, read once, when a job first needs them."""

    @cached_property
    def _workers(self) -> list[Worker]:
        return roster.workers(services().keyspace)

    def check(self, job_request: JobRequest) -> None:
        """Check that a live worker has the detector and the model of a job that searches for phrases.

        Other jobs are accepted without this check, which takes a round trip to Redis. If no worker is alive for the
        job's device, it is unknown what workers have, and the job waits for one.

        Raises OvsegError `model_not_installed`; its `field` is `detector` or `model`.
        """
        if job_request.detector is None:
            return
        device = job_request.device
        installed = [worker.models.installed for worker in self._workers if device in ("auto", worker.device)]
        if installed and not any(job_request.detector in each for each in installed):
            raise _missing(models.find_detector(job_request.detector), "detector")
        if installed and job_request.texts and not any(job_request.model in each for each in installed):
            raise _missing(models.find(job_request.model), "model")


def _missing(spec: Published, field: str) -> OvsegError:
    size = "" if spec.size is None else f" ({spec.size / MEGABYTE:,.0f} MB)"
    message = f"no worker has {spec.name}; `ovseg models pull {spec.name}` on a worker's machine fetches it{size}"
    return OvsegError("model_not_installed", message, field)

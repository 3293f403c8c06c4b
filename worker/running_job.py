"""A job that this worker runs, with what its stages need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.job.attempt import Waiting
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.lazy_image import LazyImage
from worker.timings import Timings
from worker.worker_services import WorkerServices


@dataclass(frozen=True)
class RunningJob:
    """A job that this worker runs.

    Attributes:
        job: the job. Its request is without the prompts that are skipped.
        image: its image.
        sha256: the digest of the image's file, as an id of its tenant (`tenant.owned`).
        services: the services of this worker.
        check: may raise an exception to stop the job. Called between stages, and regularly during long ones.
        waiting: entered while this job waits for another one.
        timings: the duration of each stage.
    """

    job: Job
    image: LazyImage
    sha256: str
    services: WorkerServices
    check: Callable[..., None]
    waiting: Waiting
    timings: Timings = field(default_factory=Timings)

    @property
    def request(self) -> JobRequest:
        return self.job.request

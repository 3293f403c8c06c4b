"""A job that this worker runs, with what its stages need."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from worker.job.attempt import Waiting
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.lazy_image import LazyImage
from worker.progress import Progress
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
        progress: reports the stages, and stops the job by an exception of `check`, which is called between stages, and
            regularly during long ones.
        waiting: entered while this job waits for another one.
        timings: the duration of each stage.
    """

    job: Job
    image: LazyImage
    sha256: str
    services: WorkerServices
    progress: Progress
    waiting: Waiting
    timings: Timings = field(default_factory=Timings)

    @property
    def request(self) -> JobRequest:
        return self.job.request

    def picture_to_encode(self) -> np.ndarray:
        """Return the pixels of the image for an encoder that begins now. Raises OvsegError as `LazyImage.picture`."""
        picture = self.image.picture()
        self.progress.enter("encoding")
        return picture

"""The image of a running job."""

from __future__ import annotations

import numpy as np

from worker.image import fetch
from worker.image.content import ImageContent
from worker.job.record import Job
from worker.progress import Progress
from worker.timings import Timings
from worker.worker_services import WorkerServices


class LazyImage:
    """A job's image, fetched and decoded on first use; never if neither the encoder nor the overlay needs it."""

    def __init__(self, job: Job, services: WorkerServices, timings: Timings, progress: Progress) -> None:
        self._job, self._services, self._timings, self._progress = job, services, timings, progress
        self._content = job.request.image.content
        self._file: bytes | None = None
        self._picture: np.ndarray | None = None

    def content(self) -> ImageContent:
        """Return what the header of the image's file specifies. The gateway has read it if the client sent the file."""
        if self._content is None:
            self._content = ImageContent.of(
                self.file(), self._services.decoders.header(self.file(), self._progress.check)
            )
        return self._content

    def file(self) -> bytes:
        """Return the bytes of the image's file. Raises OvsegError as `fetch.image`."""
        if self._file is None:
            source, services, owner = self._job.request.image, self._services, self._job.tenant
            check = self._progress.check
            with self._timings.of("fetch"), self._progress.during("fetching"):
                self._file = fetch.image(source, owner, services.inputs, services.client, services.settings, check)
        return self._file

    def picture(self) -> np.ndarray:
        """Return the pixels (H, W, 3) uint8 RGB. Raises OvsegError as `file` and `Decoders.decode`."""
        if self._picture is None:
            file, (height, width) = self.file(), self.content().image_hw
            with self._timings.of("decode_image"), self._progress.during("decoding_image"):
                self._picture = self._services.decoders.decode(file, height * width, self._progress.check)
        return self._picture

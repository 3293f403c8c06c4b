"""Makes files that clients have asked for: previews of images, and copies of images that are behind URLs.

Its threads run beside those of jobs, and take no slots: a preview takes less time than any job.
"""

from __future__ import annotations

import logging
import threading

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError

from ovseg_core import preview
from ovseg_core.errors import OvsegError
from worker.image import fetch
from worker.job import job_file
from worker.job.record import Job
from worker.store import object_names
from worker.worker_services import WorkerServices

log = logging.getLogger(__name__)

THREADS = 2  # one works while the other waits for the host of an image
LOOK_EVERY_SECONDS = 0.25  # a person who waits for a preview hardly notices it, and a look takes 0.1 ms


class Stopping(Exception):
    """The worker stops. The file is asked for again after some time."""


class FileMaker:
    """The threads of a worker that make files."""

    def __init__(self, services: WorkerServices) -> None:
        self._services = services
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, name="files", daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Make no more files. One that is being fetched or decoded is given up."""
        self._stopping.set()

    def join(self) -> None:
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def make_next(self) -> bool:
        """Make the next file. Returns False if none waits. Raises the errors of Redis and storage."""
        taken = self._services.asked_files.take()
        if taken is None:
            return False
        job_id, name = taken
        try:
            self._make(job_id, name)
        except OvsegError as error:
            log.info("job %s: its file %s cannot be made: %s", job_id, name, error.message)
            self._services.asked_files.failed(job_id, name, error)
        return True

    def _make(self, job_id: str, name: str) -> None:
        job = self._services.jobs.get(job_id)
        if job is None:
            raise OvsegError("input_gone", "the service has no record of this job's image")
        data = self._image(job)
        if name == job_file.PREVIEW:
            data = self._preview(data)
        self._store(job, name, data)

    def _image(self, job: Job) -> bytes:
        """Return the image file of a job. Raises OvsegError, also if a URL has something that is no image."""
        services = self._services
        source, settings = job.request.image, services.settings
        data = fetch.image(source, job.tenant, services.inputs, services.client, settings, self._check)
        services.decoders.header(data, self._check)
        return data

    def _preview(self, data: bytes) -> bytes:
        """Return a small copy of an image."""
        height, width = self._services.decoders.header(data, self._check).image_hw
        return preview.jpeg(self._services.decoders.decode(data, height * width, self._check))

    def _store(self, job: Job, name: str, data: bytes) -> None:
        key = object_names.asked_file(job.id, name)
        self._services.storage.put(key, data, "image/jpeg" if name == job_file.PREVIEW else job_file.OTHER)
        if not self._services.asked_files.made(job.id, name, len(data)):
            self._services.storage.delete([key])

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Stopping

    def _work(self) -> None:
        while not self._stopping.is_set():
            pause = LOOK_EVERY_SECONDS
            try:
                if self.make_next():
                    continue
            except Stopping:
                return
            except (RedisError, BotoCoreError, ClientError) as error:
                log.warning("a file that a client asked for is not made, a server is unreachable: %s", error)
                pause = 1.0
            except Exception:  # any exception would end this thread
                log.exception("a file that a client asked for is not made")
            self._stopping.wait(pause)

"""Handles a message: claims the next job of a queue, works on it, and records its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
from redis import RedisError

from ovseg_core import outputs
from ovseg_core.errors import OvsegError
from ovseg_core.outputs import Segmentation
from worker import answering, publish
from worker.image import fetch
from worker.image.content import ImageContent
from worker.inference.embeddings import Cache
from worker.inference.urgency import Urgency
from worker.job.attempt import LeaseLost, Stopped, Waiting
from worker.job.record import Job, JobError, Run, Status
from worker.job.usage import Work
from worker.process import watchdog
from worker.process.lookout import Lookout
from worker.process.slots import Slot
from worker.store import outage, tenant
from worker.worker_services import WorkerServices

log = logging.getLogger(__name__)

# A Redis that was killed is usually back within a second or two.
REPORT_AGAIN_SECONDS = 0.5


def segment(queue: str, services: WorkerServices) -> None:
    """Claim the next job of a queue, work on it, and record how it ended."""
    with services.slots.taken(Slot.ANY) as waiting:
        job = services.jobs.begin(queue, services.name)
        if job is None:
            log.debug("%s: a permit was left over, no job waits", queue)
        else:
            _run(job, services, waiting)


def lookout(queues: Sequence[str], services: WorkerServices) -> Lookout:
    """Return a lookout that claims and runs jobs of these queues."""

    def begin(slot: Slot) -> Job | None:
        jobs, only_light = services.jobs, slot is Slot.LIGHT
        if not (jobs.light_waits(queues) if only_light else jobs.waits(queues)):
            return None
        begun = (jobs.begin(queue, services.name, only_light) for queue in queues)
        return next((job for job in begun if job is not None), None)

    def run(job: Job, waiting: Waiting) -> None:
        _run(job, services, waiting)

    return Lookout(services.slots, services.settings.worker_concurrency, begin, run)


def _run(job: Job, services: WorkerServices, waiting: Waiting) -> None:
    with watchdog.watching(job, services.settings.watchdog_grace_seconds), services.heartbeat.holding(job):
        try:
            _work(job, services, waiting)
        except OvsegError as error:
            failed = JobError(error.code, error.message, error.field)
            _report(lambda: services.jobs.fail(job, failed), services)
            log.info("%s failed: %s", job.id, error.message)
        except Stopped as stopped:
            status = _report(lambda: services.jobs.finish_as_decided(job), services)
            log.info("%s was stopped: %s; its status is %s", job.id, stopped, status)
        except LeaseLost:
            log.warning("%s attempt %d came too late; another holds the job", job.id, job.attempt)
        except BaseException as error:  # also MemoryError and SystemExit, which would end one of Celery's threads
            log.exception("%s attempt %d failed with an unexpected error", job.id, job.attempt)
            what = f"{type(error).__name__} in attempt {job.attempt}; see the worker's log"
            broke, is_outage = JobError("internal_error", what), outage.is_one(error)
            _report(lambda: services.jobs.retry_later(job, broke, is_outage), services)
    if not job.request.ephemeral:
        services.archive.keep_ended_soon(job.id)


def _work(job: Job, services: WorkerServices, waiting: Waiting) -> None:
    """Segment the job's image and store the result. Enter `waiting` while another job encodes the same image.

    Between stages, and regularly while it waits for a decoder or for another job's encoding or runs everything mode, it
    checks whether the job may continue.
    """
    timings, check = Timings(), partial(services.heartbeat.check, job)
    image = LazyImage(job, services, timings, check)
    model, content = job.request.model, image.content()
    owned_sha256 = tenant.owned(job.tenant, content.sha256)  # no tenant learns whether another sent the same image
    is_known = services.embeddings.has(model, owned_sha256)
    if not is_known:
        image.file()  # fetched before other jobs wait for its embedding: a missing file must fail this job only
    request = job.request.within(content.image_hw)
    job = replace(job, request=request)  # without the prompts that are skipped

    check(unless_recent=is_known)
    urgency, share = Urgency.of(request), request.only_encodes
    found = services.embeddings.of(model, owned_sha256, image.picture, share, urgency, check, waiting)
    timings.ms["encode"] = found.milliseconds
    check(unless_recent=True)
    answers, dropped, timings.ms["decode"] = answering.answers(job, found.embedding, image.picture, services, check)

    check(unless_recent=not outputs.files(request.outputs, content.image_hw))
    with timings.of("publish"):
        segmentation = Segmentation(content.image_hw, image.picture, answers, request.prompts, dropped)
        digest = services.inference.weights_sha256(model)
        stored = publish.store(job, segmentation, digest, services.storage, services.uploads)
    run = Run(*services.inference.engine(model), found.cache)
    described = content.model_dump(exclude={"sha256"})
    encodes = request.cost.encodes - (found.cache != Cache.MISS)
    work = Work(request.cost.prompts, encodes, timings.ms["encode"] + timings.ms["decode"], stored.size)
    ended = (job, described, timings.ms, len(answers), run, stored.document, work)
    status = _report(lambda: services.jobs.succeed(*ended), services)
    if status == Status.SUCCEEDED:
        done = f"{len(answers)} masks, {request.cost.prompts} prompts"
        log.info("%s succeeded, %s; embedding: %s; ms: %s", job.id, done, found.cache, timings)
    elif not request.ephemeral and services.jobs.get(job.id) is None:
        # The job was deleted while this attempt, which had lost its lease, was writing.
        services.storage.delete_prefix(job.attempt_prefix)


def _report(end: Callable[[], str], services: WorkerServices) -> str:
    """Record how an attempt ended. While Redis is unreachable, retry for one lease: finished work need not be repeated.

    To record it twice does no harm: the second time the attempt no longer holds the job.
    """
    deadline = time.monotonic() + services.settings.lease_seconds
    while True:
        try:
            return end()
        except RedisError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("Redis is unreachable; retrying to record how an attempt ended: %s", error)
            time.sleep(REPORT_AGAIN_SECONDS)


class LazyImage:
    """A job's image, fetched and decoded on first use; never if neither the encoder nor the overlay needs it."""

    def __init__(self, job: Job, services: WorkerServices, timings: Timings, check: Callable[[], None]) -> None:
        self._job, self._services, self._timings, self._check = job, services, timings, check
        self._content = job.request.image.content
        self._file: bytes | None = None
        self._picture: np.ndarray | None = None

    def content(self) -> ImageContent:
        """Return what the header of the image's file specifies. The gateway has read it if the client sent the file."""
        if self._content is None:
            self._content = ImageContent.of(self.file(), self._services.decoders.header(self.file(), self._check))
        return self._content

    def file(self) -> bytes:
        """Return the bytes of the image's file. Raises OvsegError as `fetch.image`."""
        if self._file is None:
            source, services = self._job.request.image, self._services
            with self._timings.of("fetch"):
                self._file = fetch.image(source, services.inputs, services.client, services.settings, self._check)
        return self._file

    def picture(self) -> np.ndarray:
        """Return the pixels (H, W, 3) uint8 RGB. Raises OvsegError as `file` and `Decoders.decode`."""
        if self._picture is None:
            file, (height, width) = self.file(), self.content().image_hw
            with self._timings.of("decode_image"):
                self._picture = self._services.decoders.decode(file, height * width, self._check)
        return self._picture


class Timings:
    """The duration of each stage, in milliseconds."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.ms[stage] = round((time.perf_counter() - start) * 1000, 2)

    def __str__(self) -> str:
        return " ".join(f"{stage} {ms:.0f}" for stage, ms in self.ms.items())

"""Handles a message: claims the next job of a queue, works on it, and records its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from redis import RedisError

from ovseg_core import outputs
from ovseg_core.errors import OvsegError
from ovseg_core.outputs import Drawing
from worker import answering, publish, searching
from worker.image.content import ImageContent
from worker.inference.embeddings import Cache
from worker.inference.urgency import Urgency
from worker.job.attempt import LeaseLost, Stopped, Waiting
from worker.job.jobs import ATTEMPTS_APART
from worker.job.record import Job, JobError, Run, Status
from worker.job.request import JobRequest
from worker.job.usage import Work
from worker.lazy_image import LazyImage
from worker.process import watchdog
from worker.process.lookout import Lookout
from worker.process.slots import Slot
from worker.progress import Progress
from worker.running_job import RunningJob
from worker.store import outage, tenant
from worker.timings import Timings
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
    with (
        watchdog.watching(job, services.settings.watchdog_grace_seconds),
        services.heartbeat.holding(job),
        services.roster.latencies.of_attempt(_waited(job)),
    ):
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


def _waited(job: Job) -> timedelta | None:
    """Return how long a job waited for its first attempt; None if this is another attempt."""
    is_first = job.attempt % ATTEMPTS_APART == 1
    return job.started_at - job.accepted_at if is_first and job.started_at else None


def _work(job: Job, services: WorkerServices, waiting: Waiting) -> None:
    """Segment the job's image and store the result. Enter `waiting` while another job encodes the same image.

    Between stages, and regularly while it waits for a decoder or for another job's encoding, or between the passes of a
    detector and the clicks of everything mode, it checks whether the job may continue.
    """
    timings, progress = Timings(), Progress(job, services)
    image = LazyImage(job, services, timings, progress)
    content = image.content()
    _remember(job, content, services)
    owned_sha256 = tenant.owned(job.tenant, content.sha256)  # no tenant learns whether another sent the same image
    is_known = _is_known(job.request, owned_sha256, services)
    if not is_known:
        image.file()  # fetched before other jobs wait for its embedding: a missing file must fail this job only
    request = job.request.within(content.image_hw)
    job = replace(job, request=request)  # without the prompts that are skipped

    progress.check(unless_recent=is_known)
    running = RunningJob(job, image, owned_sha256, services, progress, waiting, timings)
    drawing, digest, run = _detected(running) if request.detect is not None else _segmented(running)
    progress.enter("uploading")
    progress.check(unless_recent=not outputs.files(request.outputs, content.image_hw))
    with timings.of("publish"):
        stored = publish.store(job, drawing, digest, services.storage, services.publishing)
    described = content.model_dump(exclude={"sha256"})
    encodes = max(0, request.cost.encodes - (run.embedding_cache != Cache.MISS))
    work = Work(request.cost.prompts, encodes, timings.network_ms, stored.size)
    ended = (job, described, timings.ms, len(drawing.answers), run, stored.document, work)
    status = _report(lambda: services.jobs.succeed(*ended), services)
    if status == Status.SUCCEEDED:
        done = f"{len(drawing.answers)} masks, {request.cost.prompts} prompts"
        log.info("%s succeeded, %s; embedding: %s; ms: %s", job.id, done, run.embedding_cache, timings)
    elif not request.ephemeral and services.jobs.get(job.id) is None:
        # The job was deleted while this attempt, which had lost its lease, was writing.
        services.storage.delete_prefix(job.attempt_prefix)


def _remember(job: Job, content: ImageContent, services: WorkerServices) -> None:
    """Remember the digest of a job's upload, which no gateway has read: later requests may name it by that."""
    source = job.request.image
    if source.content is None and source.owner == job.id:
        services.known_images.remember(job.tenant, source.model_copy(update={"content": content}))


def _is_known(request: JobRequest, sha256: str, services: WorkerServices) -> bool:
    """True if this worker has the embedding and, if a detector runs, the features of the image."""
    if request.uses_detector and not services.features.has(str(request.detector), sha256):
        return False
    return request.detect is not None or services.embeddings.has(request.model, sha256)


def _segmented(running: RunningJob) -> tuple[Drawing, str, Run]:
    """Return the masks of a job, the digest of its model's weights, and how the model ran."""
    request, services = running.request, running.services
    found = services.embeddings.of(
        request.model,
        running.sha256,
        running.picture_to_encode,
        request.only_encodes,
        Urgency.of(request),
        running.progress.check,
        running.waiting,
    )
    running.timings.ms["encode"] = found.milliseconds
    running.progress.check(unless_recent=True)
    segmentation = answering.segmentation(running, found.embedding)
    digest = services.inference.weights_sha256(request.model)
    return segmentation, digest, Run(*services.inference.engine(request.model), found.cache)


def _detected(running: RunningJob) -> tuple[Drawing, str, Run]:
    """Return the boxes of a job that only detects, the digest of its detector's weights, and how the detector ran."""
    detection, features = searching.detected(running)
    name, detectors = str(running.request.detector), running.services.detectors
    return detection, detectors.weights_sha256(name), Run(*detectors.engine(name), features.cache)


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

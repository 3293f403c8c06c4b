"""Accepts a valid request as a job, together with its image."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import uuid_utils

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.access import tenant_limits
from worker.access.quota import QuotaExceeded
from worker.access.tenant_limits import Exceeded
from worker.image.content import ImageSource, UploadedFile
from worker.image.inputs import Inputs
from worker.job import image_object
from worker.job.archive import Archive
from worker.job.idempotency import Once
from worker.job.jobs import Jobs, OfBatch
from worker.job.outcome import FULL, Outcome
from worker.job.record import Job, prefix_of
from worker.job.request import JobRequest
from worker.store import object_names, tenant
from worker.store.storage import ObjectMissing, Storage
from worker.upload import uploads

# A queue empties at the speed of the workers; storage when a client deletes jobs, or when their retention time is over.
QUEUE_RETRY_SECONDS, STORAGE_RETRY_SECONDS = 10, 60


def new_id() -> str:
    return str(uuid_utils.uuid7())


def why_full(what: str, settings: Settings) -> str:
    """Return a message why no new jobs are accepted. `what` is the value of `Jobs.full`, or `ephemeral`."""
    if what == "jobs":
        return f"{settings.max_queued_jobs:,} jobs are queued, which is the maximum; try again later"
    if what == "ephemeral":
        size = f"{settings.ephemeral_megabytes:,} MB in all, those of one of several tenants half of it"
        return f"the images of ephemeral jobs may have {size}; name an image by its sha256, or try again later"
    return "Redis's memory has reached the limit for new jobs; try again later"


@dataclass(frozen=True)
class Acceptance:
    """Accepts a job together with its image, or neither of them. Thread-safe."""

    jobs: Jobs
    inputs: Inputs
    storage: Storage
    archive: Archive
    settings: Settings

    def accept(
        self, job_id: str, request: JobRequest, image: bytes | None, once: Once | None = None
    ) -> tuple[Job, bool]:
        """Return the job of this request, and True if it is new. With `once`, it may have been accepted before.

        `image` is the image's file, or None if it is elsewhere: behind a URL, or in storage.
        Raises OvsegError `idempotency_key_reused`, `id_taken`, `job_deleted`, `queue_full`, `upload_expired`, and,
        because of a limit of the tenant, QuotaExceeded or OvsegError `image_too_large`; ImageUnknown.
        """
        outcome = self._outcome(job_id, request, image, once)
        if outcome.job is not None:
            if outcome.is_new and not request.ephemeral:
                self.archive.keep_accepted_soon(outcome.job.id)
            return outcome.job, outcome.is_new
        if outcome.refusal == "unknown":
            raise image_object.unknown_digest()
        if outcome.exceeded is not None:
            raise _refusal(outcome.exceeded, has_image=image is not None)
        if outcome.refusal in FULL:
            raise OvsegError("queue_full", why_full(outcome.refusal, self.settings))
        if outcome.refusal == "erased":
            raise OvsegError("job_deleted", "this request was submitted before, and its job has been deleted")
        if once is not None and once.key is not None:
            raise OvsegError("idempotency_key_reused", "this Idempotency-Key was used before, with a different request")
        raise OvsegError("id_taken", f"the job {tenant.shown(job_id)!r} exists already, with a different request")

    def image_of(self, job: Job) -> bytes | None:
        """Return the image's file of an earlier job, or None if the request of a retry has the same source.

        Raises OvsegError `input_gone`.
        """
        source = job.request.image
        if source.key is None or source.owner is None:
            return None
        if job.request.ephemeral and source.owner != job.id:
            return None  # the retry names the same image, because an ephemeral job stores none
        try:
            return self.inputs.fetch(source.owner, source.key)
        except ObjectMissing:
            raise OvsegError("input_gone", "the image of this job is no longer stored; submit it again") from None

    def accept_item(self, job_id: str, request: JobRequest, once: Once, of_batch: OfBatch) -> Outcome:
        """Accept the job of an item of a batch.

        If its upload is gone, the job fails later, unless an earlier call has copied the file already.
        """
        if request.image.upload is None:
            return self.jobs.accept(job_id, request, b"", once, of_batch=of_batch)
        with suppress(ObjectMissing):
            return self._with_copy(job_id, request, request.image.upload, once, of_batch)
        return self.jobs.accept(job_id, _stored_at(_input_key(job_id, once), request), b"", once, of_batch=of_batch)

    def _outcome(self, job_id: str, request: JobRequest, image: bytes | None, once: Once | None) -> Outcome:
        upload = request.image.upload
        if image is None and upload is not None:
            if request.ephemeral:  # nothing of the job is stored, so it uses the file of the upload
                return self.jobs.accept(job_id, _stored_at(object_names.upload(upload.id), request), b"", once)
            try:
                return self._with_copy(job_id, request, upload, once)
            except ObjectMissing:
                raise uploads.expired().at("image.upload") from None
        if image is None:
            # A stored image without content is the file of an upload; a retry of an ephemeral job has its key.
            names_image = request.image.key is not None and request.image.content is not None
            return self.jobs.accept(job_id, request, b"", once, names_image=names_image)
        key = _input_key(job_id, once)
        stored = _stored_at(key, request)
        if request.ephemeral:
            return self.jobs.accept(job_id, stored, image, once)  # the image stays in Redis
        outcome = self._with_image_in_redis(job_id, stored, key, image, once)
        return outcome or self._with_image_in_storage(job_id, stored, key, image, once)

    def _with_image_in_redis(
        self, job_id: str, request: JobRequest, key: str, image: bytes, once: Once | None
    ) -> Outcome | None:
        """Accept the job with its image in Redis; the image is moved to storage soon after.

        Returns None if Redis has no space for the image. It may still have space for the job without the image.
        """
        if not self.inputs.reserve():
            return None
        try:
            outcome = self.jobs.accept(job_id, request, image, once, len(image))
        except BaseException:
            self.inputs.release()
            raise
        if _is_input(key, outcome):
            self.inputs.move_soon(job_id, key, image)
        else:
            self.inputs.release()
        return None if outcome.refusal == "memory" else outcome

    def _with_image_in_storage(
        self, job_id: str, request: JobRequest, key: str, image: bytes, once: Once | None
    ) -> Outcome:
        """Store the image, then accept the job. The image is deleted again if the job is not accepted."""
        self.inputs.store(key, image)
        outcome = self.jobs.accept(job_id, request, b"", once, len(image))
        if not _is_input(key, outcome):
            self.storage.delete([key])
        return outcome

    def _with_copy(
        self,
        job_id: str,
        request: JobRequest,
        upload: UploadedFile,
        once: Once | None,
        of_batch: OfBatch | None = None,
    ) -> Outcome:
        """Copy the file of an upload, then accept the job. The copy is deleted again if the job is not accepted.

        So the job keeps its image when the upload expires. Raises ObjectMissing if the file is gone or has changed.
        """
        key = _input_key(job_id, once)
        self.storage.copy(object_names.upload(upload.id), key, upload.etag)
        outcome = self.jobs.accept(job_id, _stored_at(key, request), b"", once, upload.size, of_batch)
        if not _is_input(key, outcome):
            self.storage.delete([key])
        return outcome


def _input_key(job_id: str, once: Once | None) -> str:
    """Return the key of a job's image. A request under an id that is taken must not overwrite the first image."""
    return f"{prefix_of(job_id)}input" + (f"-{once.fingerprint[:16]}" if once else "")


def _stored_at(key: str, request: JobRequest) -> JobRequest:
    """Return a request whose image is stored under this key."""
    return request.model_copy(update={"image": ImageSource(key=key, content=request.image.content)})


def _refusal(exceeded: Exceeded, has_image: bool) -> OvsegError:
    """Return the error for a job that a limit of its tenant does not allow."""
    policy, quota, left, stored_bytes = exceeded
    if policy == tenant_limits.QUEUED_JOBS:
        message = f"{quota:,} jobs of this tenant are queued, which is its maximum; try again later"
        return QuotaExceeded(policy, quota, left, message, QUEUE_RETRY_SECONDS)
    if has_image and stored_bytes > quota:  # it will not fit later either
        message = f"the image and its request have {stored_bytes:,} bytes, and this tenant may store {quota:,}"
        return OvsegError("image_too_large", message, "image")
    message = (
        f"this tenant may store {quota:,} bytes of images, requests and results, and {left:,} are left; delete jobs"
    )
    return QuotaExceeded(policy, quota, left, message, STORAGE_RETRY_SECONDS)


def _is_input(key: str, outcome: Outcome) -> bool:
    return outcome.job is not None and outcome.job.request.image.key == key

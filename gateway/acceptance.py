"""From a valid submission to an accepted job."""

from __future__ import annotations

import uuid_utils

from configs.settings import Settings
from gateway.services import Services
from ovseg_core.errors import OvsegError
from worker.image.content import ImageSource
from worker.job.archive import AFTER_ACCEPTANCE_SECONDS
from worker.job.idempotency import Once
from worker.job.jobs import Acceptance
from worker.job.parsing import Submission
from worker.job.record import Job, prefix_of
from worker.job.request import JobRequest
from worker.store.storage import ObjectMissing


def new_id() -> str:
    return str(uuid_utils.uuid7())


def accept(submission: Submission, at: Services, job_id: str, once: Once | None = None) -> tuple[Job, bool]:
    """The job of this submission, accepted together with its image or not at all; and whether it is new.

    It is an earlier one where the same was submitted `once` before.
    Raises OvsegError `idempotency_key_reused`, `id_taken`, `job_deleted`, `queue_full`.
    """
    accepted = _accept(submission, at, job_id, once)
    if accepted.job is not None:
        return accepted.job, accepted.is_new
    if accepted.full:
        raise OvsegError("queue_full", why_full(accepted.full, at.settings))
    if accepted.is_erased:
        raise OvsegError("job_deleted", "the same was submitted before, and its job has been deleted")
    if once is not None and once.key:
        raise OvsegError("idempotency_key_reused", "another request was sent with this Idempotency-Key before")
    raise OvsegError("id_taken", f"there is a job {job_id!r} already, and it asks for something else")


def again(job: Job, at: Services) -> Submission:
    """What a job asked for, to be accepted once more. Raises OvsegError `input_gone`."""
    source = job.request.image
    if source.key is None:
        return Submission.again(job.request, str(source.url))
    try:
        return Submission.again(job.request, at.inputs.fetch(job.id, source.key))
    except ObjectMissing:
        raise OvsegError("input_gone", "the image of this job is no longer kept; submit it again") from None


def why_full(what: str, settings: Settings) -> str:
    """Why no more jobs are accepted, for people; `what` is that of `Jobs.full`."""
    if what == "jobs":
        return f"{settings.max_queued_jobs:,} jobs are queued, as many as may be; try again later"
    return "Redis's memory is filled as far as submissions may fill it; try again later"


def _accept(submission: Submission, at: Services, job_id: str, once: Once | None) -> Acceptance:
    if isinstance(submission.image, str):
        accepted = at.jobs.accept_once(job_id, submission.stored_as(ImageSource(url=submission.image)), b"", once)
        return _archived(accepted, at)

    # Under an id that is taken, another image must not come to lie in the place of the first.
    key = f"{prefix_of(job_id)}input" + (f"-{once.fingerprint[:16]}" if once else "")
    image, request = submission.image, submission.stored_as(ImageSource(key=key, content=submission.content))
    if not at.inputs.reserve():
        return _accept_stored(job_id, request, image, once, at)
    try:
        accepted = at.jobs.accept_once(job_id, request, image, once)
    except BaseException:
        at.inputs.release()
        raise
    if _is_input(key, accepted):
        at.inputs.archive(job_id, key, image)
    else:
        at.inputs.release()
    if accepted.full == "memory":  # for the image perhaps, but not for the record alone
        return _accept_stored(job_id, request, image, once, at)
    return _archived(accepted, at)


def _accept_stored(job_id: str, request: JobRequest, image: bytes, once: Once | None, at: Services) -> Acceptance:
    """The image goes to storage first."""
    key = str(request.image.key)
    at.inputs.store(key, image)
    accepted = at.jobs.accept_once(job_id, request, b"", once)
    if not _is_input(key, accepted):
        at.storage.erase(key)
    return _archived(accepted, at)


def _archived(accepted: Acceptance, at: Services) -> Acceptance:
    if accepted.is_new and accepted.job is not None:
        at.archive.keep_soon(accepted.job.id, AFTER_ACCEPTANCE_SECONDS)
    return accepted


def _is_input(key: str, accepted: Acceptance) -> bool:
    return accepted.job is not None and accepted.job.request.image.key == key

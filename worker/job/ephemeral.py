"""Ephemeral jobs, for interactive use: a click whose masks the client reads once.

Everything of such a job is in Redis, and Redis forgets it a minute after its end: its record, its image if the client
sent one, and its result. It is in no list, in no archive, and no webhook endpoint is notified of it.
"""

from __future__ import annotations

from collections.abc import Collection

from ovseg_core import outputs
from ovseg_core.errors import OvsegError
from worker.job.own_webhook import Webhook
from worker.job.record import Job

# The result of 1,000 boxes has about half of that.
MAX_RESULT_BYTES = 1_000_000
INLINE = tuple(entry.name for entry in outputs.entries(outputs.names()))  # the outputs that are part of the result


def check(wanted: Collection[str], webhook: Webhook | None) -> None:
    """Check what a request for an ephemeral job asks for. Raises OvsegError."""
    if files := [name for name in wanted if name not in INLINE]:
        message = f"{files[0]} is a file, and an ephemeral job stores none; allowed: {', '.join(INLINE)}"
        raise OvsegError("invalid_value", message, "outputs")
    if webhook is not None:
        raise OvsegError("invalid_request", "an ephemeral job has no events: wait for its end instead", "webhook")


def holds_image(job: Job) -> bool:
    """True if an ephemeral job was sent with its image, which is in Redis until the job has ended, and nowhere else."""
    return job.request.ephemeral is not None and job.request.image.owner == job.id


def check_result(document: bytes) -> None:
    """Check the size of a result's document. Raises OvsegError `result_too_large`."""
    if len(document) > MAX_RESULT_BYTES:
        message = f"the result has {len(document):,} bytes; that of an ephemeral job may have {MAX_RESULT_BYTES:,}"
        raise OvsegError("result_too_large", message)

"""A job's image source to bytes."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.guarded import GuardedClient
from worker.inputs import Inputs
from worker.job import Job
from worker.storage import ObjectMissing


def image(
    job: Job, inputs: Inputs, client: GuardedClient, settings: Settings, check: Callable[[], None] = lambda: None
) -> bytes:
    """The image file, sent along with the job or fetched from the caller's URL.

    `check` is called now and then while a URL is fetched; what it raises ends that.
    Raises OvsegError for a URL that is forbidden, silent, or sends too much; `input_gone` where the image was removed
    from storage, and no other attempt would find it either.
    """
    source = job.request.image
    if source.key is not None:
        try:
            return inputs.fetch(job.id, source.key)
        except ObjectMissing:
            raise OvsegError("input_gone", "the image of this job is no longer in storage", "image") from None
    return client.get(str(source.url), settings.max_image_bytes, settings.fetch_timeout_seconds, "image", check)

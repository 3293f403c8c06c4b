"""A job's image source to bytes."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import Settings
from worker.guarded import GuardedClient
from worker.inputs import Inputs
from worker.job import Job


def image(
    job: Job, inputs: Inputs, client: GuardedClient, settings: Settings, check: Callable[[], None] = lambda: None
) -> bytes:
    """The image file, sent along with the job or fetched from the caller's URL.

    `check` is called now and then while a URL is fetched; what it raises ends that.
    Raises OvsegError for a URL that is forbidden, silent, or sends too much.
    """
    source = job.request.image
    if source.key is not None:
        return inputs.fetch(job.id, source.key)
    return client.get(str(source.url), settings.max_image_bytes, settings.fetch_timeout_seconds, "image", check)

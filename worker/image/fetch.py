"""Fetch the file of an image source."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.outbound import sealed_headers
from worker.outbound.client import GuardedClient
from worker.store.storage import ObjectMissing


def image(
    source: ImageSource,
    inputs: Inputs,
    client: GuardedClient,
    settings: Settings,
    check: Callable[[], None] = lambda: None,
) -> bytes:
    """Return the image file of a job: uploaded with the job, or fetched from the client's URL.

    `check` is called a few times a second while a URL is fetched; if it raises, the fetch ends.
    Raises OvsegError if the URL is forbidden, does not answer, or sends too much; `input_gone` if the image was removed
    from storage, because no other attempt would find it either; `headers_unavailable`.
    """
    if source.key is not None and source.owner is not None:
        try:
            return inputs.fetch(source.owner, source.key)
        except ObjectMissing:
            raise OvsegError("input_gone", "the image of this job is no longer in storage", "image") from None
    headers = {} if source.headers is None else sealed_headers.unseal(source.headers, settings, "image.headers")
    return client.get(
        str(source.url), settings.max_image_bytes, settings.fetch_timeout_seconds, "image", check, headers
    )

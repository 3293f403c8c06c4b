"""Fetch the file of an image source."""

from __future__ import annotations

from collections.abc import Callable

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.image.content import ImageSource
from worker.image.inputs import Inputs
from worker.image.s3_address import S3Address
from worker.outbound import sealed_headers
from worker.outbound.client import GuardedClient
from worker.store.storage import Denied, ObjectMissing

FIELD = "image.s3"


def image(
    source: ImageSource,
    tenant: str,
    inputs: Inputs,
    client: GuardedClient,
    settings: Settings,
    check: Callable[[], None] = lambda: None,
) -> bytes:
    """Return the image file of a job of a tenant: uploaded with the job, or fetched from the client's URL or bucket.

    `check` is called a few times a second while a URL is fetched; if it raises, the fetch ends.
    Raises OvsegError if the URL is forbidden, does not answer, or sends too much; `input_gone` if the image was removed
    from storage, because no other attempt would find it either; `headers_unavailable`; `object_unreachable` if the
    bucket has no such object, or the service may not read it.
    """
    if source.key is not None and source.owner is not None:
        try:
            return inputs.fetch(source.owner, source.key)
        except ObjectMissing:
            raise OvsegError("input_gone", "the image of this job is no longer in storage", "image") from None
    if source.s3 is not None:
        return _from_bucket(S3Address.parse(source.s3, FIELD), tenant, inputs, settings)
    headers = {} if source.headers is None else sealed_headers.unseal(source.headers, settings, "image.headers")
    return client.get(
        str(source.url), settings.max_image_bytes, settings.fetch_timeout_seconds, "image", check, headers
    )


def _from_bucket(address: S3Address, tenant: str, inputs: Inputs, settings: Settings) -> bytes:
    address.check(tenant, settings, FIELD)  # the list may have changed since the job was accepted
    try:
        data = inputs.fetch_from(address, settings.max_image_bytes + 1)
    except ObjectMissing as missing:
        why = "is in an archive of the storage" if missing.is_archived else "does not exist"
        raise OvsegError("object_unreachable", f"the object {why}", FIELD) from None
    except Denied:
        raise OvsegError("object_unreachable", "this service may not read the object", FIELD) from None
    if len(data) > settings.max_image_bytes:
        message = f"the object has more than the allowed {settings.max_image_bytes:,} bytes"
        raise OvsegError("image_too_large", message, FIELD)
    return data

"""An image in a request as an object: a URL with headers, an object in a bucket, or an image that was sent before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.image import s3_address
from worker.image.content import ImageSource
from worker.image.s3_address import S3Address
from worker.job import url_headers
from worker.job.validation import InvalidRequest, validated
from worker.outbound import sealed_headers, web_url

MAX_ID_CHARACTERS = 64
MAX_REMEMBERED = 1024  # images of a manifest; each takes about a kilobyte
SHA256 = r"^[0-9a-f]{64}$"


@dataclass(frozen=True)
class SentImages:
    """Finds the images that a client sent before.

    Attributes:
        tenant: the client's.
        by_digest: returns the image with this SHA-256, in hexadecimal; None if none is known.
        by_upload: returns the image of the upload with this id. Raises OvsegError.
    """

    tenant: str
    by_digest: Callable[[str], ImageSource | None]
    by_upload: Callable[[str], ImageSource]

    def remembered(self) -> SentImages:
        """Return a SentImages that finds each image once: many items of a manifest may name the same one."""
        remember = lru_cache(MAX_REMEMBERED)
        return SentImages(self.tenant, remember(self.by_digest), remember(self.by_upload))


def _show_headers(schema: dict[str, Any]) -> None:
    """Replace pydantic's schema of the headers: its default, no headers, is not allowed to be written."""
    del schema["default"]
    schema.update({**url_headers.SCHEMA, "minProperties": 1})


WAYS = ("url", "sha256", "upload", "s3")  # to name an image; an object has one of them


def _by(way: str) -> dict[str, Any]:
    """Return the JSON Schema of an object that names an image in this way."""
    others = {name: {"type": "null"} for name in WAYS if name != way}
    return {
        "required": [way],
        "properties": {way: {"type": "string"}, **others, **({} if way == "url" else {"headers": False})},
    }


class ImageObject(BaseModel):
    """A URL with headers, an object in a bucket, or an image that was sent before."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, json_schema_extra={"oneOf": list(map(_by, WAYS))}
    )

    url: str | None = Field(default=None, description="http or https; with headers https")
    headers: Annotated[dict[str, str], AfterValidator(url_headers.checked)] = Field(
        default={}, min_length=1, json_schema_extra=_show_headers, description="for the URL; never shown"
    )
    sha256: Annotated[str, Field(pattern=SHA256)] | None = Field(
        default=None, description="of an image that was sent within the last 24 hours, in lower-case hexadecimal"
    )
    upload: str | None = Field(default=None, max_length=MAX_ID_CHARACTERS, description="the id of an upload")
    s3: str | None = Field(
        default=None,
        max_length=s3_address.MAX_CHARACTERS,
        description="`s3://bucket/key` of an object in a bucket that the service lists for the caller",
    )

    @classmethod
    def of(cls, body: object) -> ImageObject | None:
        """Return the image of a body, None if it is no object. Raises OvsegError, whose field begins with `image`."""
        image = body.get("image") if isinstance(body, Mapping) else None
        if not isinstance(image, Mapping):
            return None
        try:
            found = validated(cls, image)
        except InvalidRequest as error:
            located = [each.at(f"image.{each.field}") for each in error.errors]
            raise InvalidRequest(located, error.count) from None
        except OvsegError as error:
            raise error.at("image" + (f".{error.field}" if error.field else "")) from None
        given = [way for way in WAYS if getattr(found, way) is not None]
        if len(given) != 1 or (found.headers and found.url is None):
            ways = 'give {"url": ..., "headers": {...}}, {"sha256": ...}, {"upload": ...} or {"s3": ...}'
            raise OvsegError("invalid_value", ways, "image")
        return found

    def source(self, settings: Settings, sent_images: SentImages) -> ImageSource:
        """Return the source of the image, with its headers encrypted.

        Raises OvsegError `url_invalid`, `url_forbidden`, `headers_unavailable`, `image_not_found`,
        `upload_not_received`, `upload_expired`.
        """
        if self.sha256 is not None:
            return _by_digest(self.sha256, sent_images)
        if self.upload is not None:
            return _by_upload(self.upload, sent_images)
        if self.s3 is not None:
            S3Address.parse(self.s3, "image.s3").check(sent_images.tenant, settings, "image.s3")
            return ImageSource(s3=self.s3)
        text = str(self.url).strip()
        url = web_url.check_url(text, "image.url", settings)
        if not self.headers:
            return ImageSource(url=text)
        if url.scheme != "https" and not web_url.is_trusted(url, settings):
            raise OvsegError("url_forbidden", "a URL to which headers are sent must be https", "image.url")
        return ImageSource(url=text, headers=sealed_headers.seal(self.headers, settings, "image.headers"))


def _no_upload(upload_id: str) -> ImageSource:
    raise OvsegError("image_not_found", "there is no such upload")


NO_IMAGES = SentImages("", lambda sha256: None, _no_upload)


def _by_digest(sha256: str, sent_images: SentImages) -> ImageSource:
    source = sent_images.by_digest(sha256)
    if source is None:
        raise unknown_digest()
    return source


class ImageUnknown(OvsegError):
    """The image that a request names is not known, or not any more: it was sent too long ago, or its job was erased."""


def unknown_digest() -> ImageUnknown:
    message = "no image with this SHA-256 was sent in the last 24 hours by a job that still exists; send the file"
    return ImageUnknown("image_not_found", message, "image.sha256")


def _by_upload(upload_id: str, sent_images: SentImages) -> ImageSource:
    try:
        return sent_images.by_upload(upload_id)
    except OvsegError as error:
        raise error.at("image.upload") from None

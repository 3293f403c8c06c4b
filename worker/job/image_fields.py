"""The image of a request, in any form: a URL, base64, a data URL, an object, or a file part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from configs.settings import Settings
from ovseg_core import data_url, header
from ovseg_core.errors import OvsegError
from worker.image.content import ImageContent, ImageSource
from worker.job.image_object import ImageObject, SentImages
from worker.job.validation import shown_as
from worker.outbound import web_url

SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]{0,31}):", re.IGNORECASE | re.ASCII)  # base64 contains no colon


class ImageFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    image: Annotated[str | None, shown_as(str | ImageObject | None)] = Field(
        default=None, description="an http(s) URL, base64, a data URL, or an object; left out if a form has the file"
    )


def without_object(body: object) -> object:
    """Return the body without an image that is an object; `read` reads it."""
    if isinstance(body, Mapping) and isinstance(body.get("image"), Mapping):
        return {name: value for name, value in body.items() if name != "image"}
    return body


def read(
    body: object, fields: ImageFields, image_file: bytes | None, settings: Settings, sent_images: SentImages
) -> tuple[ImageSource, bytes | None]:
    """Return the image of a body, in any form. Raises OvsegError as `ImageObject.of` and `_image`."""
    named = ImageObject.of(body)
    if named is None:
        return _image(fields, image_file, settings)
    if image_file is not None:
        raise OvsegError("invalid_request", "send the image as a file part or in the request, not both", "image")
    return named.source(settings, sent_images), None


def _image(fields: ImageFields, image_file: bytes | None, settings: Settings) -> tuple[ImageSource, bytes | None]:
    """Return the image's URL; or what the header of the image's file specifies, and the file's bytes."""
    _check_scheme(fields)
    if image_file is not None and fields.image is not None:
        raise OvsegError("invalid_request", "send the image as a file part or in the request, not both", "image")
    if image_file is None and fields.image is None:
        raise OvsegError(
            "image_missing", "required: an http(s) URL, base64, a data URL, or a multipart file part", "image"
        )
    text = (fields.image or "").strip()
    if text[:8].lower().startswith(("http://", "https://")):
        web_url.check_url(text, "image", settings)
        return ImageSource(url=text), None
    data = image_file if image_file is not None else _from_text(text)
    if len(data) > settings.max_image_bytes:
        message = f"the image has {len(data):,} bytes; at most {settings.max_image_bytes:,} are allowed"
        raise OvsegError("image_too_large", message, "image")
    return ImageSource(content=ImageContent.of(data, header.read(data, settings.max_image_pixels))), data


def _from_text(text: str) -> bytes:
    """Return the bytes of an image that is in the request's JSON as base64 or as a data URL."""
    try:
        return data_url.parse(text) if text[:5].lower() == "data:" else data_url.from_base64(text)
    except ValueError as error:
        raise OvsegError("image_unreadable", str(error), "image") from None


def _check_scheme(fields: ImageFields) -> None:
    """Check that an image's URL has a scheme that can be fetched."""
    found = SCHEME.match(fields.image or "")
    scheme = found[1].lower() if found else "data"
    if scheme not in ("http", "https", "data"):
        instead = 'give an http(s) URL (for an object in S3 a presigned URL, or {"s3": ...}), or base64'
        raise OvsegError("url_invalid", f"{scheme}: URLs cannot be fetched; {instead}", "image")

"""An image in a request as an object: a URL, and the headers with which it is fetched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.image import sealed_headers
from worker.image.content import ImageSource
from worker.job.client_text import brief
from worker.job.validation import InvalidRequest, validated
from worker.outbound import web_url

MAX_HEADERS = 8
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # a token of RFC 9110, section 5.6.2
VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,4094}[\x21-\x7e])?")  # the longest tokens have 2,000 to 4,000 characters
# These belong to the connection, or decide how the answer is read.
OURS = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > MAX_HEADERS:
        raise ValueError(f"{len(headers)} headers; at most {MAX_HEADERS} are allowed")
    for name, value in headers.items():
        if not NAME.fullmatch(name) or name.lower() in OURS:
            raise ValueError(f"{brief(name)!r} cannot be the name of a header here")
        if not VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} must be 1 to 4,096 printable ASCII characters")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header occurs twice")
    return headers


class ImageWithHeaders(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    url: str
    headers: Annotated[dict[str, str], Field(min_length=1), AfterValidator(_headers)]

    @classmethod
    def of(cls, body: object) -> ImageWithHeaders | None:
        """Return the image of a body, None if it is no object. Raises OvsegError, whose field begins with `image`."""
        image = body.get("image") if isinstance(body, Mapping) else None
        if not isinstance(image, Mapping):
            return None
        try:
            return validated(cls, image)
        except InvalidRequest as error:
            located = [each.at(f"image.{each.field}") for each in error.errors]
            raise InvalidRequest(located, error.count) from None
        except OvsegError as error:
            raise error.at("image" + (f".{error.field}" if error.field else "")) from None

    def source(self, settings: Settings) -> ImageSource:
        """Return the source of the image, with the headers encrypted.

        Raises OvsegError `url_invalid`, `url_forbidden`, `headers_unavailable`.
        """
        url = web_url.check_url(self.url, "image.url", settings)
        if url.scheme != "https" and not web_url.is_trusted(url, settings):
            raise OvsegError("url_forbidden", "a URL to which headers are sent must be https", "image.url")
        return ImageSource(url=self.url.strip(), headers=sealed_headers.seal(self.headers, settings))

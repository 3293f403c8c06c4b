"""The address of an image in a bucket that a setting lists: `s3://bucket/key`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from configs.s3_sources import Source
from configs.settings import Settings
from ovseg_core.errors import OvsegError

MAX_CHARACTERS = 1100  # a key has at most 1,024 bytes
ADDRESS = re.compile(r"s3://([^/\s]{3,255})/([^\x00-\x1f\x7f\ud800-\udfff]+)")


@dataclass(frozen=True)
class S3Address:
    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str, field: str) -> S3Address:
        """Return the address in a text. Raises OvsegError `url_invalid`.

        Some servers keep objects as files: there, a key with `..` would lead into another bucket.
        """
        found = ADDRESS.fullmatch(text)
        if found is None or any(part in ("", ".", "..") for part in found[2].split("/")):
            raise OvsegError("url_invalid", "must be s3://bucket/key, and the key a path without . and ..", field)
        return cls(found[1], found[2])

    def check(self, tenant: str, settings: Settings, field: str) -> None:
        """Check that a tenant may read this object. Raises OvsegError `url_forbidden`."""
        if not any(Source.parse(each).has(self.bucket, self.key, tenant) for each in settings.s3_sources):
            message = "this service reads no such object for you; OVSEG_S3_SOURCES lists the buckets that it reads"
            raise OvsegError("url_forbidden", message, field)

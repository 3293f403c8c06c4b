"""The setting that lists buckets whose images clients may name. A wrong entry stops the process."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from configs import s3_names

DEFAULT, EVERY = "default", "*"
_TENANT = re.compile(r"[a-z0-9-]{1,32}|\*")


@dataclass(frozen=True)
class Source:
    """Objects of `bucket` whose keys begin with `prefix`, for one tenant, or for EVERY one."""

    bucket: str
    prefix: str
    tenant: str

    @classmethod
    def parse(cls, text: str) -> Source:
        """Return the source that an entry such as `photos/2026@acme` names. Raises ValueError."""
        place, at, tenant = text.rpartition("@")
        bucket, _, prefix = (place if at else text).partition("/")
        s3_names.check_bucket(bucket)
        if at and not _TENANT.fullmatch(tenant):
            raise ValueError(f"{text!r}: after @ give the name of a tenant, or * for all")
        return cls(bucket, prefix.rstrip("/") + "/" if prefix else "", tenant if at else DEFAULT)

    def has(self, bucket: str, key: str, tenant: str) -> bool:
        """True if this tenant may read this object."""
        return self.bucket == bucket and key.startswith(self.prefix) and self.tenant in (tenant, EVERY)


def _split(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _checked(entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        Source.parse(entry)
    return entries


S3Sources = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_checked)]

"""Names in object storage: what can be none is said at the start, not at the first call."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# botocore accepts these; S3 itself wants less, other servers more.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]|arn:[^\s/]+:[^\s]+")
_REGION = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def check_bucket(name: str) -> str:
    """Raises ValueError."""
    if not _BUCKET.fullmatch(name):
        raise ValueError("a bucket's name has 3 to 255 letters, digits, dots, hyphens and underscores; or it is an ARN")
    return name


def check_region(name: str) -> str:
    """Raises ValueError."""
    if not _REGION.fullmatch(name):
        raise ValueError("a region has 1 to 63 letters, digits and hyphens, as us-east-1 has")
    return name


Bucket = Annotated[str, AfterValidator(check_bucket)]
Region = Annotated[str, AfterValidator(check_region)]

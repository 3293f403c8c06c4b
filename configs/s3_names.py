"""Names in object storage. They are checked at the start, so that a wrong name is reported then, not later."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# botocore accepts these names. S3 itself allows fewer, other servers allow more.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]|arn:[^\s/]+:[^\s]+")
_REGION = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def check_bucket(name: str) -> str:
    """Return the name. Raises ValueError if no bucket can have it."""
    if not _BUCKET.fullmatch(name):
        raise ValueError("a bucket's name has 3 to 255 letters, digits, dots, hyphens and underscores; or it is an ARN")
    return name


def check_region(name: str) -> str:
    """Return the name. Raises ValueError if no region can have it."""
    if not _REGION.fullmatch(name):
        raise ValueError("a region's name has 1 to 63 letters, digits and hyphens, for example us-east-1")
    return name


Bucket = Annotated[str, AfterValidator(check_bucket)]
Region = Annotated[str, AfterValidator(check_region)]

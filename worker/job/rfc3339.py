"""Times in requests."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator

FORMAT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)


def _time(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str) or not FORMAT.fullmatch(value):
        raise ValueError("must be a time in the format of RFC 3339, like 2026-11-21T08:30:00Z")
    return datetime.fromisoformat(value.upper())  # raises ValueError for the 30th of February


Time = Annotated[datetime | None, BeforeValidator(_time)]

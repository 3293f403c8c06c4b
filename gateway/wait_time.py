"""For how long a client wants its answer to be held: `?wait=SECONDS`, or `Prefer: wait=SECONDS` (RFC 7240)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from flask import request
from pydantic import BeforeValidator, Field
from werkzeug.http import parse_list_header

from gateway import query
from gateway.operation import Header
from gateway.services import services

WAIT = re.compile(r"wait\s*=\s*\"?([0-9]{1,9})\"?\s*(;|$)", re.IGNORECASE)  # RFC 7240 allows parameters after a ;


PREFER = Header(
    "Prefer", "`wait=SECONDS` (RFC 7240): as the parameter `wait`, and reduced to the maximum", {"type": "string"}
)
APPLIED = Header("Preference-Applied", "The preference that was granted, such as `wait=30`.")


@dataclass(frozen=True)
class WaitTime:
    """A number of seconds, and the headers of the answer: they state a preference that was granted."""

    seconds: float
    headers: dict[str, str]


NONE = WaitTime(0.0, {})


def _seconds(text: str) -> float:
    longest = services().settings.max_wait_seconds
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", text) or float(text) > longest:
        raise ValueError(f"must be a number of seconds from 0 to {longest:g}")
    return float(text)


Seconds = Annotated[float, Field(ge=0)]  # the maximum is a setting


class WaitQuery(query.Query):
    HEADERS = (PREFER,)

    wait: Annotated[float, BeforeValidator(_seconds, json_schema_input_type=Seconds)] | None = Field(
        default=None,
        description="seconds for which the answer may be held until the job or batch has ended, at most 60",
    )


def of_request() -> WaitTime | None:
    """Return the time of the current request, whose view takes a WaitQuery; None if the client does not ask to wait.

    `?wait=` must be within the limit. `Prefer: wait=` is a preference: a longer wait is cut to the limit.
    """
    wait = query.of(WaitQuery).wait
    if wait is not None:
        return WaitTime(wait, {})
    for preference in parse_list_header(request.headers.get("Prefer", "")):
        found = WAIT.match(preference)
        if found:
            seconds = min(float(found[1]), services().settings.max_wait_seconds)
            return WaitTime(seconds, {"Preference-Applied": f"wait={seconds:g}"})
    return None

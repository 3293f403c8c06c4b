"""The events of a job that a webhook can be notified of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from worker.job.validation import short_list

EventType = Literal["job.started", "job.succeeded", "job.failed", "job.canceled", "job.expired"]

ALL: tuple[EventType, ...] = get_args(EventType)
ENDS: tuple[EventType, ...] = ALL[1:]  # one of these for every job
TEST = "webhook.test"  # of an endpoint, and of no job


def _in_order(chosen: Sequence[EventType]) -> tuple[EventType, ...]:
    return tuple(each for each in ALL if each in chosen)


# A choice of them, as a field of a request: each once and in one order, so that what means the same is the same.
Filter = Annotated[
    tuple[EventType, ...], BeforeValidator(short_list), AfterValidator(_in_order), Field(min_length=1, strict=False)
]


def decode(encoded: str) -> tuple[EventType, ...]:
    """The choice that `encode` wrote."""
    return tuple(each for each in ALL if each.removeprefix("job.") in encoded.split())


def encode(chosen: Sequence[EventType]) -> str:
    """A choice as the scripts read it: `started succeeded`."""
    return " ".join(each.removeprefix("job.") for each in chosen)

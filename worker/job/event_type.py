"""The types of events that a webhook can be notified of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from worker.job.validation import short_list

EventType = Literal["job.started", "job.succeeded", "job.failed", "job.canceled", "job.expired"]

ALL: tuple[EventType, ...] = get_args(EventType)
ENDS: tuple[EventType, ...] = ALL[1:]  # every job ends with one of these
TEST = "webhook.test"  # a test of an endpoint; it belongs to no job


def _in_order(chosen: Sequence[EventType]) -> tuple[EventType, ...]:
    return tuple(event for event in ALL if event in chosen)


# A choice of event types, as a field of a request. Each type occurs once and in one order, so that two choices of the
# same types are equal.
Filter = Annotated[
    tuple[EventType, ...], BeforeValidator(short_list), AfterValidator(_in_order), Field(min_length=1, strict=False)
]


def decode(encoded: str) -> tuple[EventType, ...]:
    """Return the choice that `encode` wrote."""
    return tuple(event for event in ALL if event.removeprefix("job.") in encoded.split())


def encode(chosen: Sequence[EventType]) -> str:
    """Return a choice in the form that the scripts read: `started succeeded`."""
    return " ".join(event.removeprefix("job.") for event in chosen)

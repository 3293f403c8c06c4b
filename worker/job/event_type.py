"""The types of events that a webhook can be notified of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from worker.job.validation import short_list

EventType = Literal["job.started", "job.succeeded", "job.failed", "job.canceled", "job.expired"]
BatchEventType = Literal["batch.progress", "batch.completed"]
AnyEventType = Literal[EventType, BatchEventType]

ALL: tuple[EventType, ...] = get_args(EventType)
ENDS: tuple[EventType, ...] = ALL[1:]  # every job ends with one of these
OF_BATCHES: tuple[BatchEventType, ...] = get_args(BatchEventType)
BATCH_ENDS: tuple[BatchEventType, ...] = OF_BATCHES[1:]
TEST = "webhook.test"  # a test of an endpoint; it belongs to no job

Chosen = TypeVar("Chosen", bound=str)


def _in_order(chosen: Sequence[Chosen]) -> tuple[Chosen, ...]:
    return tuple(sorted(set(chosen), key=(*ALL, *OF_BATCHES).index))


# A choice of event types, as a field of a request. Each type occurs once and in one order, so that two choices of the
# same types are equal.
_RULES = (BeforeValidator(short_list), AfterValidator(_in_order), Field(min_length=1, strict=False))
Filter = Annotated[tuple[EventType, ...], *_RULES]
BatchFilter = Annotated[tuple[BatchEventType, ...], *_RULES]
AnyFilter = Annotated[tuple[AnyEventType, ...], *_RULES]


def decode(encoded: str) -> tuple[AnyEventType, ...]:
    """Return the choice that `encode` wrote."""
    words = encoded.split()
    return tuple(event for event in (*ALL, *OF_BATCHES) if event.removeprefix("job.") in words)


def encode(chosen: Sequence[str]) -> str:
    """Return a choice in the form that the scripts read: `started succeeded batch.completed`."""
    return " ".join(event.removeprefix("job.") for event in chosen)

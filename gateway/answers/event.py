"""The event object, which `gateway.events` makes, and the message that a webhook's receiver gets."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from gateway.answers.batch import BatchObject
from gateway.answers.job import JobObject


class DeliveryObject(TypedDict):
    at: datetime
    url: str
    status: Annotated[int | None, Field(description="of the receiver's answer")]
    error: Annotated[str | None, Field(description="why there was no answer")]
    duration_ms: float
    answer: Annotated[str, Field(description="the first 1,024 bytes of the receiver's answer")]


class EventObject(TypedDict):
    """An event for one receiver, with its last deliveries."""

    id: Annotated[str, Field(description="the `webhook-id` that the receiver gets")]
    type: str
    job_id: Annotated[str | None, Field(description="null for a test of an endpoint, and for an event of a batch")]
    batch_id: Annotated[str | None, Field(description="null for an event of a job")]
    endpoint_id: Annotated[str | None, Field(description="null for the own webhook of a job or a batch")]
    state: Literal["pending", "delivered", "dead"]
    created_at: datetime
    tries: int
    outcome: Annotated[str | None, Field(description="how the last delivery ended")]
    next_try_at: datetime | None
    deliveries: Annotated[list[DeliveryObject], Field(description="the last 20, newest first")]


class EventPage(TypedDict):
    events: list[EventObject]
    next_cursor: str | None


class MessageUrls(TypedDict):
    """Links to what an event is about; paths, unless the service has the setting OVSEG_GATEWAY_PUBLIC_URL."""

    job: Annotated[str | None, Field(description="null in an event of a batch, and in a test of an endpoint")]
    batch: Annotated[str | None, Field(description="the batch, or that of the job; null if there is none")]


class Message(TypedDict):
    """What the receiver of any event gets."""

    type: str
    timestamp: Annotated[datetime, Field(description="of the change")]
    endpoint_id: Annotated[
        str | None,
        Field(description="the endpoint whose secret signs the event; null: that of the own webhooks of jobs signs"),
    ]
    urls: MessageUrls


class JobMessage(Message):
    """What the receiver of a job's event gets."""

    data: Annotated[JobObject, Field(description="the job at the time of delivery")]


class BatchMessage(Message):
    """What the receiver of a batch's event gets."""

    data: Annotated[BatchObject, Field(description="the batch at the time of delivery")]


class TestData(TypedDict):
    endpoint_id: str


class TestMessage(Message):
    """What the receiver of a test event gets."""

    data: TestData

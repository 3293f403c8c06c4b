"""The routes of live events: what happens to jobs and batches, sent as event streams while it happens."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import Field

from gateway import access_log, auth, batches, event_stream, handover, operation, query, request_id
from gateway.caller import caller
from gateway.job_changes import not_found
from gateway.live.job_subject import JobSubject
from gateway.live.list_subject import BatchSubject, TenantSubject
from gateway.live.message import Message, retry
from gateway.live.stream import End, Stream
from gateway.live.subject import Present, Subject
from gateway.operation import Answer, Header, Operation
from gateway.services import services
from worker.access.scope import Scope

blueprint = Blueprint("live_events", __name__)

# The id of the last event about a job or batch that had ended before the stream was opened. It may have no feed.
FINAL = "final"
LAST_EVENT_ID = Header(
    "Last-Event-ID", "The `id` of the last event that the client has; the stream continues after it."
)
ANSWERS = {
    200: Answer("Server-sent events.", None, (event_stream.NO_BUFFER,), (event_stream.MEDIA_TYPE,)),
    204: Answer("The client has the last event. A browser's `EventSource` does not connect again after this answer."),
}
CODES = ("not_found", "quota_exceeded", "unavailable")


class StreamQuery(query.Query):
    HEADERS = (LAST_EVENT_ID,)

    last_event_id: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="the same as the header `Last-Event-ID`, which counts if both are sent"
    )


@blueprint.get("/v1/jobs/<job_id>/events")
@auth.needs(Scope.JOBS_READ)
@query.takes(StreamQuery)
@operation.describes(Operation("Follow a job", ANSWERS, CODES))
def of_job(job_id: str) -> Response:
    """Send the job object now and at each change of its status, and its progress meanwhile, as server-sent events.

    The stream ends after the final status, whose event has the result.
    """
    subject = JobSubject(caller().owned(job_id), services())
    present = subject.present()
    if present is None:
        raise not_found(job_id)
    return _answer(subject, present)


@blueprint.get("/v1/batches/<batch_id>/events")
@auth.needs(Scope.JOBS_READ)
@query.takes(StreamQuery)
@operation.describes(Operation("Follow a batch", ANSWERS, CODES))
def of_batch(batch_id: str) -> Response:
    """Send the batch object now and about once a second while it progresses, and each of its jobs that ends.

    The stream ends when the batch has completed.
    """
    subject = BatchSubject(caller().owned(batch_id), services())
    present = subject.present()
    if present is None:
        raise batches.not_found(batch_id)
    return _answer(subject, present)


@blueprint.get("/v1/events")
@auth.needs(Scope.JOBS_READ)
@query.takes(StreamQuery)
@operation.describes(Operation("Follow all jobs and batches", ANSWERS, CODES))
def of_tenant() -> Response:
    """Send what happens to all jobs and batches of the caller's tenant, as server-sent events without an end."""
    subject = TenantSubject(caller().tenant, services())
    return _answer(subject, subject.present())


def _answer(subject: Subject, present: Present) -> Response:
    """Return the event stream of a subject, which was read just now."""
    last_id = request.headers.get(LAST_EVENT_ID.name) or query.of(StreamQuery).last_event_id or ""
    if present.is_final:
        return _ended(subject, present, last_id)
    if not handover.can_hold() or request.method == "HEAD":
        return _whole([Message.of(subject.state, present.data)])
    _open(subject, last_id)
    return event_stream.response(iter(()))


def _ended(subject: Subject, present: Present, last_id: str) -> Response:
    """Return the events that a client lacks of a job or batch that has ended; 204 if it lacks none."""
    missed = [] if last_id == FINAL else services().live.since(subject, last_id)
    if missed is None:
        lost = [Message.of("gap", {})] if last_id else []
        missed = [*lost, Message.of(subject.state, present.data, FINAL)]
    return _whole(missed) if missed else Response(status=204)


def _open(subject: Subject, last_id: str) -> None:
    """Hand a stream over to the server, which sends it."""
    who, live = caller(), services().live
    label = f"{access_log.target()}, request {request_id.of_request()}"
    stream = Stream(subject.feed, who.key_id or who.tenant, who.credential, label)
    newest = live.open(subject, stream)
    try:
        first = live.first(subject, last_id, newest)
        stream.start(first, after=next((each.id for each in reversed(first) if each.id), last_id))
    except BaseException:
        stream.end(End.FAILED)
        live.close(stream)
        raise
    handover.stream(stream)


def _whole(messages: list[Message]) -> Response:
    """Return an event stream that is complete."""
    return event_stream.response(b"".join(message.sent for message in (retry(), *messages)))

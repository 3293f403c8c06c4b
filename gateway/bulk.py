"""The routes that cancel or delete many jobs in one request, which name the jobs or conditions that they meet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, BeforeValidator, ConfigDict

from gateway import auth, body, job_changes, operation, problem
from gateway.answers.job import Changes
from gateway.caller import caller
from gateway.operation import Answer, Operation
from gateway.paging import Cursor
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job import description
from worker.job.job_filter import JobFilter
from worker.job.record import Job
from worker.job.validation import validated
from worker.store.clock import microseconds

blueprint = Blueprint("bulk", __name__, url_prefix=description.JOBS)

MAX_JOBS = 1000  # in one request; their answer has about 100 kB
# After this time no further job is changed. To change a job takes a millisecond; to look in the archive for an id that
# Redis lacks takes some more.
MAX_SECONDS = 10.0
NOT_REACHED = OvsegError("timeout", "the time of the request was over before this job: send its id again")

Change = Callable[[str], str]


def _short(ids: object) -> object:
    if isinstance(ids, list) and len(ids) > MAX_JOBS:  # before pydantic looks at each of them
        raise ValueError(f"must be a list of at most {MAX_JOBS:,} ids")
    return ids


# The JSON Schema of rules that `_selection` checks by hand.
BY_IDS: dict[str, Any] = {
    "required": ["ids"],
    "properties": {"ids": {"type": "array"}, "filter": {"type": "null"}, "cursor": {"type": "null"}},
}
BY_FILTER: dict[str, Any] = {
    "required": ["filter"],
    "properties": {"filter": {"type": "object", "minProperties": 1}, "ids": {"type": "null"}},
}


class Selection(BaseModel):
    """Jobs by their `ids`; or those that meet the conditions of `filter`, from the cursor of an earlier answer on."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"oneOf": [BY_IDS, BY_FILTER]})

    ids: Annotated[tuple[str, ...], BeforeValidator(_short)] | None = None
    filter: JobFilter | None = None
    cursor: Cursor | None = None


@blueprint.post("/cancel")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Cancel many jobs",
        {200: Answer("What became of each job.", Changes)},
        body=Selection,
        examples={"By their ids": {"ids": ["a", "b"]}, "All that wait": {"filter": {"status": "queued"}}},
    )
)
def cancel() -> Response:
    """Cancel many jobs: 200, with the status or the problem of each job."""
    return _answer(job_changes.cancel, lambda job: not job.status.is_terminal)


@blueprint.post("/delete")
@auth.needs(Scope.JOBS_WRITE)
@operation.describes(
    Operation(
        "Delete many jobs",
        {200: Answer("What became of each job.", Changes)},
        body=Selection,
        examples={"Those of a data set": {"filter": {"metadata": {"split": "train"}}}},
    )
)
def delete() -> Response:
    """Delete many jobs: 200, with the outcome or the problem of each job. A reaper deletes their files."""
    return _answer(partial(job_changes.delete, files_later=True), lambda job: True)


def _answer(change: Change, is_meant: Callable[[Job], bool]) -> Response:
    """Change the jobs that the request selects. A filter selects only jobs that `is_meant` accepts."""
    selection, until, next_cursor = _selection(), time.monotonic() + MAX_SECONDS, None
    if selection.filter is None:
        ids = list(dict.fromkeys(selection.ids or ()))
        results = list(_changed(change, ids, until))
        results += [_result(job_id, error=NOT_REACHED) for job_id in ids[len(results) :]]
    else:
        jobs, next_cursor = services().jobs.list(caller().tenant, selection.filter, MAX_JOBS, selection.cursor)
        meant = [job for job in jobs if is_meant(job)]
        results = list(_changed(change, [job.shown_id for job in meant], until))
        if len(results) < len(meant):
            next_cursor = str(microseconds(meant[len(results) - 1].accepted_at))
    count = sum(result["problem"] is None for result in results)
    return jsonify({"count": count, "results": results, "next_cursor": next_cursor})


def _selection() -> Selection:
    """Return what the request selects. Raises OvsegError if it selects nothing, or everything by mistake."""
    selection = validated(Selection, body.read_json())
    if (selection.ids is None) == (selection.filter is None):
        raise OvsegError("invalid_request", "give either ids or filter")
    if selection.filter is None and selection.cursor is not None:
        raise OvsegError("invalid_value", "belongs to filter, not to ids", "cursor")
    if selection.filter is not None and selection.filter.is_empty:
        raise OvsegError("invalid_value", "needs a condition: without any it would mean all jobs", "filter")
    return selection


def _changed(change: Change, ids: Sequence[str], until: float) -> Iterator[dict[str, Any]]:
    """Change jobs one after the other while there is time, at least one."""
    for n, job_id in enumerate(ids):
        if n and time.monotonic() > until:
            return
        try:
            yield _result(job_id, change(job_id))
        except OvsegError as error:
            yield _result(job_id, error=error)


def _result(job_id: str, status: str | None = None, error: OvsegError | None = None) -> dict[str, Any]:
    """Return the answer for one job: its status, or the problem that the route of a single job would answer."""
    why = error and problem.of(problem.status_of(error.code), error.code, error.message)
    return {"id": job_id, "status": status, "problem": why}

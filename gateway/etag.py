"""The ETag of a job object: a client that has the current one gets 304 without a body."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version

from flask import Response, jsonify, request
from werkzeug.http import quote_etag

from gateway.services import services
from worker.job import description
from worker.job.jobs import Place
from worker.job.record import Job, Status


def answer(job: Job) -> Response:
    """Answer with the job object and its result; with 304 if the client has it already (RFC 9110, section 13.1.2).

    The ETag is weak: it does not cover whether the result is still in storage, so that a 304 needs no request to
    storage. An answer without a result that should be there has no ETag.
    """
    place = services().jobs.place(job) if job.status is Status.QUEUED else None
    tag = _of(job, place)
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        described = description.describe_with_result(job, services().storage, place)
        response = jsonify(described)
        if described["result_gone"] is not None:
            return response
    response.headers["ETag"] = quote_etag(tag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"  # a cache may keep it, and must ask before it is used again
    return response


def _of(job: Job, place: Place | None) -> str:
    """Return a text that changes with the record of the job, its place in the queue, the links to its files, and the
    version of the service.
    """
    signed_at = services().storage.links.signed_at().isoformat() if job.files_prefix else None
    ahead = place and place.ahead  # without the expected time, which changes with each job that ends anywhere
    parts = json.dumps([_version(), signed_at, ahead, description.describe(job)])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


@cache
def _version() -> str:
    return version("ovseg")

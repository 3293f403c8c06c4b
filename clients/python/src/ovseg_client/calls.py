"""The calls of both clients, each written once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from ovseg_client import image as images
from ovseg_client.batch import BatchCalls
from ovseg_client.errors import JobFailed, Timeout
from ovseg_client.event import Event
from ovseg_client.image import Image
from ovseg_client.job import JobCalls
from ovseg_client.prompts import Numbers, fields_of
from ovseg_client.result import Result
from ovseg_client.retries import Deadline, retry_after
from ovseg_client.service import Service, path_of
from ovseg_client.steps import Call, Emitting, Pause, Request, Steps, Stream, Work
from ovseg_client.waiting import MAX_WAIT_SECONDS

J = TypeVar("J", bound=JobCalls)


class Calls(Service, Generic[J]):
    """What both clients can do; `J` is the kind of their jobs."""

    _new_job: type[J]

    @Call
    def segment(
        self,
        /,
        image: Image,
        *,
        boxes: Numbers | None = None,
        points: Numbers | None = None,
        labels: Numbers | None = None,
        text: str | Sequence[str] | None = None,
        everything: bool | Mapping[str, Any] = False,
        prompts: Sequence[Mapping[str, Any]] | None = None,
        timeout: float | None = 600.0,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Steps[Result]:
        """Segment an image: submit a job, wait for its end, and return its result.

        Args:
            image: A path, a URL, bytes, an open file, an array, an image of Pillow, an upload, or `{"sha256": ...}`.
            boxes: Objects by their boxes, [[x0, y0, x1, y1], ...] in pixels of the upright image.
            points: Clicks on one object, [[x, y], ...]; or a list of such lists, one for each object.
            labels: In the form of `points`: 1 for a click on the object, 0 for one off it. Without labels all are 1.
            text: A phrase or a list of phrases: every object that they name.
            everything: True for all objects of the image, or the options of everything mode.
            prompts: Prompts in the form of the HTTP API, for what the arguments above cannot express.
            timeout: Seconds until `Timeout` is raised; the job continues. None waits as long as the job takes.
            idempotency_key: Of your own, so that a request which another process repeats makes no second job.
            options: Any other field of a job, such as `model`, `outputs`, `metadata`, `priority`.

        Raises:
            ApiError: The service refused the job, for example as `InvalidRequest`.
            JobFailed: The job has ended without a result.
            Timeout: The job has not ended in time.
            Unreachable: The service did not answer.
        """
        fields = fields_of(boxes, points, labels, text, everything, prompts, **options)
        deadline = Deadline(timeout)
        request = Request("POST", "/v1/jobs", headers=marked(idempotency_key))
        return (yield from self._ended(request, image, fields, deadline))

    @Call
    def submit(
        self,
        /,
        image: Image,
        *,
        boxes: Numbers | None = None,
        points: Numbers | None = None,
        labels: Numbers | None = None,
        text: str | Sequence[str] | None = None,
        everything: bool | Mapping[str, Any] = False,
        prompts: Sequence[Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Steps[J]:
        """Submit a job and return it without waiting. The arguments are those of `segment`.

        Raises:
            ApiError: The service refused the job.
            Unreachable: The service did not answer.
        """
        fields = fields_of(boxes, points, labels, text, everything, prompts, **options)
        request = Request("POST", "/v1/jobs", headers=marked(idempotency_key))
        return (yield from self._submitted(request, image, fields))

    @Call
    def job(self, job_id: str) -> Steps[J]:
        """Read a job by its id.

        Raises:
            NotFound: There is no such job.
        """
        return self._new_job(self, (yield from self.parsed(Request("GET", path_of("jobs", job_id)))))

    @Call
    def file(self, of: JobCalls | Result | str, name: str, timeout: float | None = 60.0) -> Steps[bytes]:
        """Return a file of a job.

        Args:
            of: The job, its result, or its id.
            name: `overlay.jpg`, `masks/0000.png`, `result.json`; `image`, what the job got; `preview`, an upright JPEG.
            timeout: Seconds to wait for a worker that makes the file; None waits as long as it takes.

        Raises:
            NotFound: There is no such file.
            Timeout: No worker has made it in time.
        """
        deadline = Deadline(timeout)
        job_id = of if isinstance(of, str) else of.job_id if isinstance(of, Result) else of.id
        request = Request("GET", f"{path_of('jobs', job_id)}/files/{quote(name)}")
        while (answer := (yield from self.answer(request))).status_code == HTTPStatus.ACCEPTED:  # a worker makes it
            if not deadline.left(1):
                raise Timeout(f"no worker has made the file {name} of job {job_id} yet", of)
            yield Pause(deadline.left(retry_after(answer.headers.get("Retry-After")) or 1.0))
        return answer.content

    @Stream
    def jobs(self, /, **conditions: Any) -> Emitting[J]:
        """Yield jobs, newest first, without their results.

        Args:
            conditions: Those of the HTTP API, such as `status="failed"`, `batch="cars"`, `metadata={"site": "north"}`.
        """
        metadata = conditions.pop("metadata", {})
        query = {**conditions, **{f"metadata.{key}": _as_text(value) for key, value in metadata.items()}}
        yield from self.pages("/v1/jobs", "jobs", query, partial(self._new_job, self))

    @Stream
    def events(self, of: JobCalls | BatchCalls | None = None, *, last_event_id: str | None = None) -> Emitting[Event]:
        """Yield what happens while it happens: to a job or a batch until it has ended, otherwise to all, without end.

        If the connection breaks, the stream continues with the next event. An event of the type `gap` says that some
        were lost.

        Args:
            of: A job, or a batch; None means all jobs and batches of the tenant.
            last_event_id: The `id` of an event, to continue after it.

        Raises:
            NotFound: There is no such job or batch.
            Unreachable: The service did not answer for `retry_seconds`.
        """
        if of is None:
            yield from self.stream("/v1/events", last_event_id, None)
        else:
            yield from self.stream(f"{of.path}/events", last_event_id, of.id)

    def _final(self, job_id: str, image: Image, fields: Mapping[str, Any], timeout: float | None) -> Steps[Any]:
        """The steps that submit a job under an id, wait for its end, and return the job object."""
        try:
            result = yield from self._ended(Request("PUT", path_of("jobs", job_id)), image, fields, Deadline(timeout))
        except JobFailed as failure:
            return failure.raw
        return result.raw

    def _submitted(
        self, request: Request, image: Image, fields: Mapping[str, Any], deadline: Deadline | None = None
    ) -> Steps[J]:
        request = replace(request, **(yield from body_of(image, fields)))
        return self._new_job(self, (yield from self.parsed(request, deadline)))

    def _ended(self, request: Request, image: Image, fields: Mapping[str, Any], deadline: Deadline) -> Steps[Result]:
        request = replace(request, query={"wait": round(deadline.left(MAX_WAIT_SECONDS), 3)})
        job = yield from self._submitted(request, image, fields, deadline)
        return (yield from job.ended(deadline))


def _as_text(value: Any) -> str:
    """Return a value of metadata as a condition has it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def marked(key: str | None = None) -> dict[str, str]:
    """Return the header by which the service recognizes a request that it gets a second time."""
    return {"Idempotency-Key": key or uuid.uuid4().hex}


def body_of(image: Image, fields: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    """The steps that return the body of a job, as arguments of a `Request`."""
    named = images.named(image)
    if named is not None:
        return {"json": {"image": named, **fields}}
    content = yield Work(partial(images.read, image))
    request = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    return {
        "form": {
            "image": (Path(images.path_of(image) or "image").name, content, "application/octet-stream"),
            "request": (None, request, "application/json"),
        }
    }

"""PaddleX's serving routes, with its requests and answers. A request becomes a job and is held until the job has ended.

The schemas are those of PaddleX 3.x basic serving for `open_vocabulary_segmentation` and `open_vocabulary_detection`. A
request has `image`, `prompt`, `visualize`, and `promptType` or `thresholds`; an answer has `logId` (the job's id),
`result`, `errorCode` and `errorMsg`.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from gateway import (
    access_log,
    auth,
    body,
    breaker,
    compression,
    job_codes,
    job_end,
    job_examples,
    operation,
    origin,
    problem,
)
from gateway.answers.paddlex import PaddlexAnswer, PaddlexDetectAnswer, PaddlexEnvelope
from gateway.caller import caller
from gateway.installed import Installed
from gateway.operation import Answer, Operation
from gateway.services import services
from ovseg_core import outputs
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.job import acceptance, body_rules, detect_request, parsing, result_document
from worker.job.detect_request import DetectFields
from worker.job.everything import OptionsJson
from worker.job.image_object import ImageObject
from worker.job.prompt_fields import Box, Point, Text
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.store import tenant

blueprint = Blueprint("paddlex", __name__)

SHOWN = ("label", "prompt", "coordinate", "detection_score")  # of `maskInfos`


class PaddlexFields(BaseModel):
    """PaddleX's request, for the JSON Schema; `_as_job` and `_visualize` read it."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"allOf": [body_rules.PADDLEX_SPELLING]})

    image: str | ImageObject
    prompt: Annotated[list[Box | Point], Field(min_length=1)] | Text | OptionsJson | None = None
    promptType: parsing.PromptType
    visualize: bool | None = None


class PaddlexDetectFields(DetectFields):
    """PaddleX's request for detection, for the JSON Schema; `detect_request.parse` and `_visualize` read it."""

    model_config = ConfigDict(extra="allow")

    image: str | ImageObject  # type: ignore[assignment]  # in JSON there is no file part
    visualize: bool | None = None


@blueprint.post("/open-vocabulary-segmentation")
@auth.needs(Scope.JOBS_WRITE)
@compression.pays(False)  # the overlay is a JPEG in base64
@operation.describes(
    Operation(
        "Segment an image, as PaddleX's server does",
        {200: Answer("The job has succeeded.", PaddlexAnswer)},
        (*job_codes.OF_JOB, *job_end.CODES),
        PaddlexFields,
        job_examples.PADDLEX,
        problem=PaddlexEnvelope,
        problem_media_type="application/json",
    )
)
def infer() -> ResponseReturnValue:
    """Make a job of the request, wait for its end and answer with its result. Other fields are ignored."""
    fields = body.read_json()
    visualize = _visualize(fields, services().settings.paddlex_visualize)
    job_request, image = parsing.parse(_as_job(fields, visualize), None, services().settings)
    return _answer(job_request, image, _masks)


@blueprint.post("/open-vocabulary-detection")
@auth.needs(Scope.JOBS_WRITE)
@compression.pays(False)  # as above
@operation.describes(
    Operation(
        "Find the boxes of phrases, as PaddleX's server does",
        {200: Answer("The job has succeeded.", PaddlexDetectAnswer)},
        (*job_codes.OF_DETECT, *job_end.CODES),
        PaddlexDetectFields,
        job_examples.PADDLEX_DETECT,
        problem=PaddlexEnvelope,
        problem_media_type="application/json",
    )
)
def detect() -> ResponseReturnValue:
    """Make a job of the request, wait for its end and answer with its boxes. Other fields are ignored."""
    fields = body.read_json()
    visualize = _visualize(fields, services().settings.paddlex_visualize)
    job_request, image = detect_request.parse(fields, visualize, services().settings)
    return _answer(job_request, image, lambda found: {"detectedObjects": found["detectedObjects"]})


def _answer(
    job_request: JobRequest, image: bytes | None, of_result: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> ResponseReturnValue:
    """Accept the job, wait for its end and answer with `of_result` of its result, and the overlay if it has one."""
    job_id = caller().owned(acceptance.new_id())
    Installed().check(job_request)
    services().rate_limits.count_prompts(job_request.cost.prompts)

    def answer(ended: Job | None) -> Response:
        shown_id = tenant.shown(job_id)
        job, storage = job_end.succeeded(shown_id, ended), services().storage
        result = of_result(result_document.read_result(job, storage))
        if outputs.OVERLAY_JPEG.name in job_request.outputs:
            picture = storage.get(f"{job.files_prefix}{outputs.OVERLAY_JPEG.path}")
            result["image"] = base64.b64encode(picture).decode("ascii")
        return jsonify(result_document.of(shown_id, result))

    seconds = services().settings.paddlex_timeout_seconds
    with services().waiting.expecting(job_id):
        job, _ = services().acceptance.accept(job_id, job_request, image)
        return services().waiting.answer(job_id, seconds, answer, may_be_early=False, job=job)


@blueprint.get("/health")
@auth.needs(None)
@access_log.writes_line(False)
@origin.takes_any_host(True)
@breaker.needs_redis(False)
@operation.describes(
    Operation(
        "Is this process alive? As PaddleX's server answers",
        {200: Answer("It is.", PaddlexEnvelope)},
        problem=PaddlexEnvelope,
        problem_media_type="application/json",
    )
)
def health() -> Response:
    return jsonify({"logId": str(uuid.uuid4()), "errorCode": 0, "errorMsg": "Healthy"})


@blueprint.after_request
def in_envelope(response: Response) -> Response:
    """Rewrite an error, which the application answers as a problem object, in PaddleX's envelope.

    This is not an `errorhandler`: Flask prefers a blueprint's handlers to the application's, so all of the
    application's handlers, also the breaker's, would have to be registered here a second time.
    """
    if response.mimetype == problem.MEDIA_TYPE:
        detail = response.get_json()["detail"]
        envelope = {"logId": str(uuid.uuid4()), "errorCode": response.status_code, "errorMsg": detail}
        response.data, response.mimetype = json.dumps(envelope), "application/json"
    return response


def _as_job(fields: Any, visualize: bool) -> Any:
    """Return the request as the body of a job. Fields outside PaddleX's schema are ignored, as PaddleX does.

    The job is interactive, because the client waits on its connection.
    """
    if not isinstance(fields, Mapping):
        return fields
    known = {name: fields[name] for name in ("image", "prompt", "promptType") if name in fields}
    return {**known, "outputs": ["rle", "overlay"] if visualize else ["rle"], "priority": "interactive"}


def _visualize(fields: Any, default: bool) -> bool:
    visualize = fields.get("visualize") if isinstance(fields, Mapping) else None
    if visualize is None:
        return default
    if not isinstance(visualize, bool):
        raise OvsegError("invalid_value", "must be true, false or null", "visualize")
    return visualize


def _masks(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return PaddleX's `result` of a job. The mask of a phrase, which PaddleX lacks, also has the detector's box."""
    infos = [{name: info[name] for name in SHOWN if name in info} for info in found["maskInfos"]]
    return {"masks": found["masks"], "maskInfos": infos}

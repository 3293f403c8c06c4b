"""PaddleX's route for detection: what it refuses, in PaddleX's envelope, and the job that it makes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from tests.support import pictures
from worker.job import description, detect_request
from worker.job.record import Job
from worker.job.request import DETECTOR_COST, PASS_COST, Cost, JobRequest

ROUTE = "/open-vocabulary-detection"
SETTINGS = Settings(webhook_secret=None)
PHOTO = base64.b64encode(pictures.photo()).decode()
PROMPT = "bus . walking man ."

# fmt: off
REFUSED = [
    ({"prompt": PROMPT}, "image"),
    ({"image": PHOTO}, "prompt"),
    ({"image": PHOTO, "prompt": ["bus"]}, "prompt: should be a valid string"),
    ({"image": PHOTO, "prompt": " . "}, "the prompt needs a word"),
    ({"image": PHOTO, "prompt": "bus " * 2000}, "8,000 characters; a prompt has at most 4,608"),
    ({"image": PHOTO, "prompt": PROMPT, "thresholds": 0.3}, "thresholds"),
    ({"image": PHOTO, "prompt": PROMPT, "thresholds": {"box_threshold": 2}}, "thresholds.box_threshold"),
    ({"image": PHOTO, "prompt": PROMPT, "thresholds": {"text_threshold": "x"}}, "thresholds.text_threshold"),
    ({"image": PHOTO, "prompt": PROMPT, "thresholds": {"threshold": 0.3}}, "unknown thresholds threshold"),
    ({"image": PHOTO, "prompt": PROMPT, "visualize": "no"}, "true, false or null"),
    ({"image": "http://127.0.0.1/a.jpg", "prompt": PROMPT}, "not a public address"),
    ([], "JSON object"),
]
# fmt: on


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_a_wrong_request_is_refused_in_paddlexs_envelope(asked: FlaskClient, body: Any, message: str) -> None:
    answer = asked.post(ROUTE, json=body)
    envelope = answer.get_json()
    assert (answer.status_code, set(envelope)) == (422, {"logId", "errorCode", "errorMsg"}), answer.text
    assert envelope["errorCode"] == 422
    assert message in envelope["errorMsg"]


def parsed(visualize: bool = True, **fields: Any) -> JobRequest:
    body = {"image": PHOTO, "prompt": PROMPT, "colour": "red", "model": 5, **fields}
    request = detect_request.parse(body, visualize, SETTINGS)[0]
    assert JobRequest.model_validate_json(request.model_dump_json()) == request
    return request


@pytest.mark.parametrize(
    ("thresholds", "detection"),
    [
        (None, {"box_threshold": 0.3, "text_threshold": 0.25}),
        ({"box_threshold": 1, "text_threshold": None}, {"box_threshold": 1.0, "text_threshold": 0.25}),
    ],
)
def test_its_job_only_detects_with_paddlexs_thresholds(thresholds: Any, detection: dict[str, float]) -> None:
    request = parsed(thresholds=thresholds)
    assert (request.detect, request.detector, request.detection) == (PROMPT, "GroundingDINO-T", detection)
    assert (request.priority, request.outputs, request.only_encodes) == ("interactive", ("overlay",), False)
    assert request.cost == Cost(0, 2, DETECTOR_COST + PASS_COST)
    shown = json.loads(json.dumps(description.describe(Job.accepted("mine", request, "0"))))
    assert shown["prompts"] == {"detect": PROMPT}
    assert (shown["model"], shown["detector"], shown["detection"]) == ("GroundingDINO-T", "GroundingDINO-T", detection)
    assert (shown["multimask"], shown["on_invalid_prompt"]) == (None, None)


def test_without_visualize_no_overlay_is_made() -> None:
    assert parsed(visualize=False).outputs == ()


def test_it_waits_for_its_job_as_long_as_the_setting_says(asked: FlaskClient) -> None:
    answer = asked.post(ROUTE, json={"image": PHOTO, "prompt": PROMPT})  # there is no worker
    assert (answer.status_code, answer.get_json()["errorCode"]) == (504, 504)
    [job] = [job for job in asked.get("/v1/jobs").get_json()["jobs"] if job["prompts"] == {"detect": PROMPT}]
    assert job["status"] == "queued"

"""Text prompts over HTTP: what is refused when a job is submitted, each with its code and field."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from tests.gateway.test_text_fields import form
from tests.support import pictures
from worker.process.model_report import ModelReport
from worker.process.roster import Roster
from worker.store.keyspace import Keyspace

PHOTO = base64.b64encode(pictures.photo()).decode()  # 512 x 512
DOG, CLICK, MASK = {"text": "dog"}, {"points": [[5, 5]]}, {"rle": {"size": [512, 512], "counts": "0`0"}}
LONG = "word " * 300

# fmt: off
REFUSED = [
    ({"prompts": [{"text": ""}]}, "phrase_empty", "prompts[0].text", "no phrase"),
    ({"prompts": [{"text": []}]}, "phrase_empty", "prompts[0].text", "no phrase"),
    ({"prompts": [{"text": " . "}]}, "phrase_empty", "prompts[0].text", "needs a word"),
    ({"prompts": [CLICK, {"text": ["dog", " "]}]}, "phrase_empty", "prompts[1].text[1]", "needs a word"),
    ({"prompts": [{"text": LONG}]}, "phrase_too_long", "prompts[0].text", "1,500 characters; a phrase has at most 128"),
    ({"prompts": [{"text": ["dog", "x" * 129]}]}, "phrase_too_long", "prompts[0].text[1]", "129 characters"),
    ({"prompts": [{"text": "dog\x07"}]}, "phrase_unreadable", "prompts[0].text", "U+0007 is a control"),
    ({"prompts": [{"text": "dog\u202e"}]}, "phrase_unreadable", "prompts[0].text", "U+202E"),
    ({"prompts": [{"text": "dog \U0001f436"}]}, "phrase_unreadable", "prompts[0].text", "cannot read '\U0001f436'"),
    ({"prompts": [{"text": "\u732b"}]}, "phrase_unreadable", "prompts[0].text", "trained with English"),
    ({"prompts": [{"text": ["dog"] * 1000}]}, "too_many_phrases", "prompts", "1,000 phrases in total; at most 400"),
    ({"prompts": [DOG] * 401}, "too_many_phrases", "prompts", "401 phrases"),
    ({"prompts": [{"text": 5}]}, "invalid_value", "prompts[0].text", "a phrase, or a list of phrases"),
    ({"prompts": [{"text": ["dog", 5]}]}, "invalid_value", "prompts[0].text", "a phrase, or a list of phrases"),
    ({"prompts": [{**DOG, **CLICK}]}, "invalid_prompt", "prompts[0].text", "neither points nor a mask"),
    ({"prompts": [{**DOG, "mask": MASK}]}, "invalid_prompt", "prompts[0].text", "in a later job"),
    ({"prompts": [{**DOG, "labels": [1]}]}, "invalid_prompt", "prompts[0].text", "neither points"),
    ({"prompts": [{**DOG, "box": [9, 2, 3, 4]}]}, "invalid_prompt", "prompts[0].box", "x1 (3) must be greater"),
    ({"prompts": [{**DOG, "box": [600, 2, 700, 4]}]}, "box_outside_image", "prompts[0].box", "outside the image"),
    ({"prompts": [DOG], "detector": "YOLO"}, "unknown_detector", "detector", "available: GroundingDINO-T"),
    ({"prompts": [DOG], "detector": 5}, "invalid_value", "detector", "valid string"),
    ({"prompts": [CLICK], "detector": "LLMDet-T"}, "invalid_request", "detector", "no prompt has a text"),
    ({"prompts": "everything", "detector": "LLMDet-T"}, "invalid_request", "detector", "no prompt has a text"),
    ({"prompts": [CLICK], "detection": {}}, "invalid_request", "detection", "no prompt has a text"),
    ({"prompts": [CLICK, DOG], "multimask": "all"}, "invalid_request", "multimask", "has one mask"),
    ({"promptType": "text"}, "prompts_missing", "prompt", "a list of phrases"),
    ({"promptType": "text", "prompt": []}, "prompts_missing", "prompt", "at least one"),
    ({"promptType": "text", "prompt": " . "}, "phrase_empty", "prompt", "no phrase"),
    ({"promptType": "text", "prompt": ["dog", ""]}, "phrase_empty", "prompt[1]", "no phrase"),
    ({"promptType": "text", "prompt": [[1, 2, 3, 4]]}, "invalid_value", "prompt[0]", "must be a phrase"),
    ({"promptType": "text", "prompt": {"a": 1}}, "invalid_value", "prompt", "list of phrases"),
    ({"promptType": "text", "prompt": ["dog"] * 1000}, "too_many_phrases", "prompt", "1,000 phrases"),
    ({"promptType": "text", "prompt": "dog. " * 1000}, "too_many_phrases", "prompt", "1,000 phrases"),
    ({"promptType": "text", "prompt": "dog", "prompts": [DOG]}, "invalid_request", "prompts", "either"),
    *(
        ({"prompts": [DOG], "detection": {name: value}}, "invalid_options", f"detection.{name}", message)
        for name, value, message in [
            ("box_threshold", 1.1, "from 0 to 1"),
            ("box_threshold", None, "from 0 to 1"),
            ("text_threshold", -0.1, "from 0 to 1"),
            ("text_threshold", "high", "from 0 to 1"),
            ("nms_threshold", 2, "from 0 to 1"),
            ("max_objects", 0, "from 1 to 10,000"),
            ("max_objects", 1.5, "a whole number"),
            ("class_agnostic_nms", 1, "true or false"),
            ("threshold", 0.3, "allowed: box_threshold, text_threshold"),
        ]
    ),
]
# fmt: on


@pytest.mark.parametrize(("fields", "code", "field", "message"), REFUSED)
def test_a_wrong_text_is_refused_with_its_code_and_field(
    asked: FlaskClient, fields: dict[str, Any], code: str, field: str, message: str
) -> None:
    answer = asked.post("/v1/jobs", json={"image": PHOTO, "device": "gpu", **fields})
    problem = answer.get_json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["field"]) == (422, code, field), answer.text
    assert message in problem["errors"][0]["message"]


def test_every_wrong_phrase_of_a_request_is_named(asked: FlaskClient) -> None:
    prompts = [DOG, {"text": ""}, {"text": ["dog", "\U0001f436"]}]
    answer = asked.post("/v1/jobs", json={"image": PHOTO, "prompts": prompts})
    assert [error["field"] for error in answer.get_json()["errors"]] == ["prompts[1].text", "prompts[2].text[1]"]


def test_a_form_has_texts_as_curl_sends_them(asked: FlaskClient) -> None:
    fields = [("text", "dog"), ("text", "remote control"), ("point", "5,5"), ("device", "gpu")]
    fields += [("detector", "LLMDet-T"), ("detection", '{"max_objects": 3}')]
    shown = form(asked, fields).get_json()
    assert shown["prompts"] == [{"points": [[5, 5]], "labels": [1]}, DOG, {"text": "remote control"}]
    assert (shown["detector"], shown["detection"]) == ("LLMDet-T", {"max_objects": 3})


@pytest.fixture
def submit(keyspace: Keyspace, s3_settings: Settings) -> Callable[..., Any]:
    """Submit a job to a service whose CPU worker has these models."""
    client = create_app(s3_settings).test_client()

    def submitted(installed: dict[str, int], **fields: Any) -> Any:
        Roster(keyspace, s3_settings, "host:1", "cpu", lambda: ModelReport(installed, {})).enter()
        return client.post("/v1/jobs", json={"image": PHOTO, "prompts": [DOG], **fields})

    return submitted


def test_a_detector_that_no_worker_has_is_refused_with_the_command_that_fetches_it(submit: Callable[..., Any]) -> None:
    answer = submit({"SAM-Lite": 9})
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (422, "model_not_installed")
    [error] = problem["errors"]
    assert error["field"] == "detector"
    assert "`ovseg models pull GroundingDINO-T`" in error["message"]
    assert submit({"SAM-Lite": 9}, device="gpu").status_code == 202  # no worker for it is alive, so it waits


def test_the_model_of_a_text_job_must_be_installed_too_and_its_size_is_named(submit: Callable[..., Any]) -> None:
    both = {"SAM-Lite": 9, "GroundingDINO-T": 9}
    assert submit(both).status_code == 202
    [error] = submit(both, model="MobileSAM").get_json()["errors"]
    assert error["field"] == "model"
    assert "`ovseg models pull MobileSAM` on a worker's machine fetches it (41 MB)" in error["message"]


def test_other_jobs_are_accepted_whatever_workers_have(submit: Callable[..., Any]) -> None:
    assert submit({"SAM-Lite": 9}, model="MobileSAM", prompts=[CLICK]).status_code == 202


def test_the_same_text_under_the_same_id_is_the_same_job(asked: FlaskClient) -> None:
    body = {"image": PHOTO, "prompts": [DOG], "device": "gpu", "detection": {"box_threshold": 1}}
    first = asked.put("/v1/jobs/mine", json=body)
    again = asked.put(
        "/v1/jobs/mine", data=json.dumps({**body, "detection": {"box_threshold": 1.0}}), content_type="application/json"
    )
    assert (first.status_code, again.status_code) == (202, 200)
    assert asked.put("/v1/jobs/mine", json={**body, "prompts": [{"text": ["dog"]}]}).status_code == 409

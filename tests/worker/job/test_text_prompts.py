"""Text prompts in a request: how they are parsed, kept in the record, counted and shown."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.prompts import Prompt
from tests.support import pictures
from worker.job import description, idempotency
from worker.job.parsing import parse
from worker.job.prompt_note import PromptNote
from worker.job.record import Job
from worker.job.request import DETECTOR_COST, ENCODE_COST, PASS_COST, Cost, JobRequest
from worker.job.text_prompt import StoredTextPrompt

SETTINGS = Settings(webhook_secret=None)
URL = "https://example.com/cat.jpg"
PHOTO = base64.b64encode(pictures.photo()).decode()  # 512 x 512
DOG, PETS, CLICK = {"text": "dog"}, {"text": ["cat", "dog"], "box": [1, 2, 30, 40]}, {"points": [[5, 5]], "labels": [1]}
OUTSIDE = {"text": "dog", "box": [600, 0, 700, 10]}
HW = (512, 512)


def request_of(prompts: Any, image: str = URL, **fields: Any) -> JobRequest:
    request = parse({"image": image, "prompts": prompts, **fields}, None, SETTINGS)[0]
    assert JobRequest.model_validate_json(request.model_dump_json()) == request
    return request


def described(request: JobRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(description.describe(Job.accepted("mine", request, "0"))))
    return found


def test_texts_and_other_prompts_of_a_job_keep_their_positions() -> None:
    request = request_of([DOG, CLICK, {**PETS, "id": 1, "name": "pet"}])
    assert request.texts == (
        StoredTextPrompt(position=0, text="dog"),
        StoredTextPrompt(position=2, text=("cat", "dog"), box=(1, 2, 30, 40)),
    )
    assert (request.prompts, list(request.positions)) == ((Prompt.of_point(5, 5),), [1])
    assert list(request.prompts_by_position) == [0, 1, 2]
    assert (request.detector, request.detection, request.detection_options) == (
        "GroundingDINO-T",
        None,
        DetectionOptions(),
    )
    assert request.phrases == ["dog", "cat"]
    shown = described(request)
    assert shown["prompts"] == [DOG, CLICK, {**PETS, "id": 1, "name": "pet"}]
    assert (shown["detector"], shown["detection"], shown["multimask"]) == ("GroundingDINO-T", None, "best")


def test_a_job_of_texts_alone_is_no_embedding_and_never_light() -> None:
    request = request_of([DOG, PETS])
    assert not request.only_encodes
    assert request.light_cost is None
    assert request.cost == Cost(1, 3, DETECTOR_COST + PASS_COST)  # a phrase counts as a prompt
    assert request.cost.total == ENCODE_COST + 3 + DETECTOR_COST + PASS_COST
    many = request_of([{"text": [f"dog {i}" for i in range(100)]}, CLICK])
    assert many.cost == Cost(1, 101, DETECTOR_COST + 2 * PASS_COST)
    assert described(request)["on_invalid_prompt"] == "fail"


@pytest.mark.parametrize(
    ("detection", "kept"),
    [
        ({}, None),
        ({"box_threshold": 1, "max_objects": 7}, {"box_threshold": 1.0, "max_objects": 7}),
        ({"nms_threshold": None, "class_agnostic_nms": True}, {"class_agnostic_nms": True}),
    ],
)
def test_the_given_options_of_the_detector_are_kept_and_shown(detection: dict[str, Any], kept: Any) -> None:
    request = request_of([DOG], detection=detection, detector="LLMDet-T")
    assert (request.detector, request.detection) == ("LLMDet-T", kept)
    assert request.detection_options == DetectionOptions(**detection)
    assert described(request)["detection"] == kept
    assert idempotency.fingerprint(request) != idempotency.fingerprint(request_of([DOG]))


def test_the_default_detector_is_a_setting() -> None:
    settings = Settings(webhook_secret=None, default_detector="LLMDet-T")
    assert parse({"image": URL, "prompts": [DOG]}, None, settings)[0].detector == "LLMDet-T"


@pytest.mark.parametrize(
    ("prompt", "phrases"),
    [(["bus", "walking man"], ["bus", "walking man"]), (" bus . walking man.", ["bus", "walking man"])],
)
def test_paddlexs_spelling_has_a_prompt_for_each_phrase(prompt: Any, phrases: list[str]) -> None:
    request = parse({"image": URL, "promptType": "text", "prompt": prompt}, None, SETTINGS)[0]
    assert request == request_of([{"text": phrase} for phrase in phrases])


def test_texts_are_skipped_and_their_places_and_reasons_are_noted() -> None:
    prompts = [{"text": "\U0001f436"}, {**DOG, "name": "Rex"}, CLICK, {"text": ["cat", ""]}, OUTSIDE]
    request = request_of(prompts, on_invalid_prompt="skip")
    assert [text.position for text in request.texts or ()] == [1, 4]
    checked = request.within(HW)
    assert [text.position for text in checked.texts or ()] == [1]
    assert (list(checked.positions), checked.prompts) == ([2], (Prompt.of_point(5, 5),))
    errors = [note.error and (note.error.code, note.error.field) for note in checked.notes or ()]
    assert errors == [
        ("phrase_unreadable", "prompts[0].text"),
        None,
        None,
        ("phrase_empty", "prompts[3].text[1]"),
        ("box_outside_image", "prompts[4].box"),
    ]
    assert checked.notes
    assert checked.notes[1] == PromptNote(name="Rex")
    assert described(checked)["prompts"][1] == {**DOG, "name": "Rex"}


def test_a_job_whose_texts_are_all_skipped_needs_no_detector() -> None:
    request = request_of([{"text": " "}, CLICK], on_invalid_prompt="skip", detector="LLMDet-T")
    assert (request.texts, request.detector, request.uses_detector) == (None, None, False)


def test_the_box_of_a_text_outside_a_fetched_image_is_named() -> None:
    with pytest.raises(OvsegError) as caught:
        request_of([CLICK, OUTSIDE]).within(HW)
    assert (caught.value.code, caught.value.field) == ("box_outside_image", "prompts[1].box")


def test_a_request_without_texts_has_the_record_that_it_had() -> None:
    assert {"texts", "detector", "detection", "detect"}.isdisjoint(json.loads(request_of([CLICK]).model_dump_json()))

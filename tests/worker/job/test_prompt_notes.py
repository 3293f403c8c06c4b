"""Ids and names of prompts come back unchanged, and an invalid prompt fails its request or is skipped."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from configs import webhook_secret
from configs.settings import Settings
from ovseg_core.errors import OvsegError
from ovseg_core.prompts import Prompt
from tests.support import pictures
from worker.job import description, idempotency
from worker.job.parsing import parse
from worker.job.polygon_options import PolygonOptions
from worker.job.prompt_note import PromptNote
from worker.job.record import Job
from worker.job.request import JobRequest
from worker.job.validation import InvalidRequest

SETTINGS = Settings(webhook_secret=webhook_secret.new())
URL = "https://example.com/cat.jpg"
PHOTO = base64.b64encode(pictures.photo()).decode()  # 512 x 512
BOX, EMPTY, OUTSIDE = {"box": [1, 2, 30, 40]}, {"box": [5, 2, 5, 4]}, {"box": [600, 0, 700, 10]}
NO_JOB = {"mask": {"job": "none", "index": 0}}
HW = (512, 512)


def request_of(image: str, prompts: list[Any], **fields: Any) -> JobRequest:
    return parse({"image": image, "prompts": prompts, **fields}, None, SETTINGS)[0]


def error_of(image: str, prompts: list[Any], **fields: Any) -> list[OvsegError]:
    with pytest.raises(OvsegError) as caught:
        request_of(image, prompts, **fields)
    return caught.value.errors if isinstance(caught.value, InvalidRequest) else [caught.value]


def described(request: JobRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(description.describe(Job.accepted("mine", request, "0"))))
    return found


@pytest.mark.parametrize(
    "words",
    [{"id": 17}, {"id": -(2**53) + 1}, {"id": "x" * 64}, {"id": ""}, {"name": "\u732b" * 128}, {"id": 0, "name": ""}],
)
def test_the_id_and_the_name_of_a_prompt_are_kept_and_shown(words: dict[str, Any]) -> None:
    request = request_of(URL, [BOX, {**BOX, **words}])
    assert request.prompts == (Prompt.of_box(1, 2, 30, 40),) * 2
    assert request.notes == (PromptNote(), PromptNote(**words))
    assert JobRequest.model_validate_json(request.model_dump_json()) == request
    assert described(request)["prompts"] == [BOX, {**BOX, **words}]
    assert idempotency.fingerprint(request) != idempotency.fingerprint(request_of(URL, [BOX, BOX]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"id": "x" * 65}, "at most 64 characters"),
        ({"id": 2**53}, "at most 53 bits"),
        ({"id": True}, "must be a text"),
        ({"id": 1.5}, "must be a text"),
        ({"id": ["a"]}, "must be a text"),
        ({"name": "x" * 129}, "at most 128 characters"),
        ({"name": 5}, "valid string"),
    ],
)
@pytest.mark.parametrize("mode", ["fail", "skip"])
def test_another_id_or_name_is_refused_with_its_field(words: dict[str, Any], message: str, mode: str) -> None:
    [error] = error_of(URL, [BOX, {**BOX, **words}], on_invalid_prompt=mode)
    assert (error.code, error.field) == ("invalid_value", f"prompts[1].{next(iter(words))}")
    assert message in error.message


def test_a_request_that_uses_none_of_this_has_the_record_and_the_fingerprint_that_it_had() -> None:
    plain, spelt_out = request_of(URL, [BOX]), request_of(URL, [{**BOX, "id": None, "name": None}])
    assert {"notes", "on_invalid_prompt", "polygons"}.isdisjoint(json.loads(plain.model_dump_json()))
    assert spelt_out == request_of(URL, [BOX], on_invalid_prompt="fail") == plain
    both = ["rle", "polygons"]
    assert request_of(URL, [BOX], outputs=both, polygons={"tolerance": 0}) == request_of(URL, [BOX], outputs=both)


def test_invalid_prompts_are_skipped_and_their_places_and_reasons_are_noted() -> None:
    prompts = [EMPTY, {**BOX, "id": 7}, {**OUTSIDE, "name": "out"}, NO_JOB, {"points": [[9, 9]]}]
    request = request_of(PHOTO, prompts, on_invalid_prompt="skip")
    assert [prompt.kind for prompt in request.prompts] == ["box", "point"]
    assert list(request.positions) == [1, 4]
    shown = described(request)
    assert shown["on_invalid_prompt"] == "skip"
    assert [prompt.get("error", {}).get("code") for prompt in shown["prompts"]] == [
        "invalid_prompt", None, "box_outside_image", "mask_not_found", None,
    ]  # fmt: skip
    fields = [prompt["error"]["field"] for prompt in shown["prompts"] if "error" in prompt]
    assert fields == ["prompts[0].box", "prompts[2].box", "prompts[3].mask.job"]
    assert (shown["prompts"][1], shown["prompts"][2]["name"]) == ({**BOX, "id": 7}, "out")
    assert JobRequest.model_validate_json(request.model_dump_json()) == request


def test_a_worker_skips_prompts_outside_an_image_that_only_it_has_read() -> None:
    request = request_of(URL, [EMPTY, OUTSIDE, {**BOX, "id": "a"}, {"points": [[513, 1]]}], on_invalid_prompt="skip")
    assert list(request.positions) == [1, 2, 3]
    checked = request.within(HW)
    assert (list(checked.positions), checked.prompts) == ([2], (Prompt.of_box(1, 2, 30, 40),))
    errors = [note.error and note.error.field for note in checked.notes or ()]
    assert errors == ["prompts[0].box", "prompts[1].box", None, "prompts[3].points[0]"]
    assert checked.within(HW) == checked
    with pytest.raises(InvalidRequest) as caught:
        request_of(URL, [OUTSIDE, OUTSIDE], on_invalid_prompt="skip").within(HW)
    assert [error.field for error in caught.value.errors] == ["prompts[0].box", "prompts[1].box"]


@pytest.mark.parametrize("prompts", [[EMPTY], [EMPTY, OUTSIDE], [OUTSIDE, NO_JOB]])
def test_a_request_of_which_no_prompt_is_valid_is_refused(prompts: list[Any]) -> None:
    assert error_of(PHOTO, prompts, on_invalid_prompt="skip")[0].code in ("invalid_prompt", "box_outside_image")


@pytest.mark.parametrize(
    ("prompt", "code"),
    [({"box": "x"}, "invalid_value"), ({"colour": 1}, "unknown_field"), ({"points": 5}, "invalid_value")],
)
def test_a_prompt_that_has_no_form_of_a_prompt_is_not_skipped(prompt: Any, code: str) -> None:
    assert error_of(URL, [BOX, prompt], on_invalid_prompt="skip")[0].code == code


def test_rows_in_paddlexs_spelling_are_skipped_too() -> None:
    body = {"image": URL, "prompt": [[5, 2, 5, 4], [1, 2, 30, 40]], "promptType": "box", "on_invalid_prompt": "skip"}
    request = parse(body, None, SETTINGS)[0]
    assert (list(request.positions), request.notes and request.notes[0].error.field) == ([1], "prompt[0]")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"prompts": "everything", "on_invalid_prompt": "skip"}, "invalid_request", "on_invalid_prompt"),
        ({"prompts": [BOX], "on_invalid_prompt": "ignore"}, "invalid_value", "on_invalid_prompt"),
        ({"prompts": [BOX], "polygons": {"tolerance": 1}}, "invalid_request", "polygons"),
        ({"prompts": [BOX], "polygons": {"tolerance": -1}}, "invalid_value", "polygons.tolerance"),
        ({"prompts": [BOX], "polygons": {"tolerance": 101}}, "invalid_value", "polygons.tolerance"),
        ({"prompts": [BOX], "polygons": {"min_area": 1.5}}, "invalid_value", "polygons.min_area"),
        ({"prompts": [BOX], "polygons": {"max_parts": 0}}, "invalid_value", "polygons.max_parts"),
        ({"prompts": [BOX], "polygons": {"parts": 1}}, "unknown_field", "polygons.parts"),
        ({"prompts": [BOX], "webhook": 5}, "invalid_value", "webhook"),
        ({"prompts": [BOX], "webhook": "http://example.com/hook"}, "url_forbidden", "webhook.url"),
        ({"prompts": [BOX], "webhook": "https://" + "x" * 2048}, "invalid_value", "webhook.url"),
    ],
)
def test_what_may_not_be_asked(fields: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(OvsegError) as caught:
        parse({"image": URL, **fields}, None, SETTINGS)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_the_options_of_polygons_are_kept_and_shown() -> None:
    request = request_of(URL, [BOX], outputs=["polygons"], polygons={"tolerance": 1.5, "max_parts": 3})
    assert request.polygons == PolygonOptions(tolerance=1.5, max_parts=3)
    assert JobRequest.model_validate_json(request.model_dump_json()) == request
    assert described(request)["polygons"] == {"tolerance": 1.5, "min_area": 0, "max_parts": 3}
    assert described(request_of(URL, [BOX]))["polygons"] is None


def test_a_webhook_may_be_a_plain_url() -> None:
    hook = "https://example.com/hook"
    assert request_of(URL, [BOX], webhook=hook) == request_of(URL, [BOX], webhook={"url": hook})

"""Which requests are parsed, and how the others are refused."""

from __future__ import annotations

import base64
import time
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import webhook_secret
from configs.settings import Settings
from ovseg_core import header
from ovseg_core.errors import OvsegError
from ovseg_core.prompts import Prompt
from tests.support import pictures
from worker.image.content import ImageContent, ImageSource
from worker.job.own_webhook import Webhook
from worker.job.parsing import parse
from worker.job.request import JobRequest
from worker.job.validation import InvalidRequest

SETTINGS = Settings(webhook_secret=None, max_image_bytes=500_000)
URL = "https://example.com/cat.jpg"
BOX = {"box": [1, 2, 30, 40]}
BASE64 = base64.b64encode(pictures.photo()).decode()


def webhook_of(fields: dict[str, object]) -> dict[str, object]:
    return {"image": URL, "prompts": [BOX], "webhook": {"url": URL, **fields}}


def errors_of(body: object, image_file: bytes | None = None, settings: Settings = SETTINGS) -> list[OvsegError]:
    with pytest.raises(OvsegError) as caught:
        parse(body, image_file, settings)
    return caught.value.errors if isinstance(caught.value, InvalidRequest) else [caught.value]


@pytest.mark.parametrize(
    ("body", "code", "field", "message"),
    [
        ([], "invalid_request", None, "must be a JSON object"),
        ({"prompts": [BOX]}, "image_missing", "image", "http(s) URL, base64, a data URL"),
        ({"image": URL}, "prompts_missing", "prompts", "PaddleX's prompt and promptType"),
        ({"image": URL, "prompts": []}, "prompts_missing", "prompts", "at least one"),
        ({"image": URL, "prompts": [BOX] * 1001}, "too_many_prompts", "prompts", "1,001 prompts; at most 1,000"),
        ({"image": URL, "prompts": [{}]}, "invalid_prompt", "prompts[0]", "give a box, or points"),
        ({"image": URL, "prompts": [{"box": [1, 2, 3]}]}, "invalid_prompt", "prompts[0].box", "got 3"),
        (
            {"image": URL, "prompts": [{"box": [5, 2, 3, 4]}]},
            "invalid_prompt",
            "prompts[0].box",
            "x1 (3) must be greater",
        ),
        ({"image": URL, "prompts": [{"box": [1, 2, 3, float("nan")]}]}, "invalid_value", "prompts[0].box[3]", "finite"),
        (
            {"image": URL, "prompts": [{"box": [1, "2", 3, 4]}]},
            "invalid_value",
            "prompts[0].box[1]",
            "must be a number",
        ),
        (
            {"image": URL, "prompts": [{"box": [1, True, 3, 4]}]},
            "invalid_value",
            "prompts[0].box[1]",
            "must be a number",
        ),
        (
            {"image": URL, "prompts": [{"points": [[1]]}]},
            "invalid_prompt",
            "prompts[0].points[0]",
            "[x, y]; got 1",
        ),
        ({"image": URL, "prompts": [{"points": [[1, 2]] * 101}]}, "invalid_prompt", "prompts[0].points", "at most 100"),
        (
            {"image": URL, "prompts": [{"points": [[1, 2]], "labels": [1, 0]}]},
            "invalid_prompt",
            "prompts[0].labels",
            "1 points but 2 labels",
        ),
        ({"image": URL, "prompts": [{"circle": 3}]}, "unknown_field", "prompts[0].circle", "box, points, labels"),
        ({"image": URL, "prompts": "box"}, "invalid_value", "prompts", "valid list"),
        ({"image": URL, "prompt": [[1, 2, 3, 4]]}, "invalid_request", "promptType", "box or point"),
        ({"image": URL, "prompt": [[1, 2, 3]], "promptType": "box"}, "invalid_prompt", "prompt[0]", "got 3"),
        ({"image": URL, "prompt": [[1, 2, 3]], "promptType": "point"}, "invalid_prompt", "prompt[0]", "got 3"),
        (
            {"image": URL, "prompt": [[1, 2]], "promptType": "mask"},
            "invalid_value",
            "promptType",
            "'point', 'everything' or 'text'",
        ),
        ({"image": URL, "prompts": [BOX], "promptType": "box"}, "invalid_request", "prompts", "either prompts, or"),
        ({"image": URL, "prompts": [BOX], "model": "SAM-9"}, "unknown_model", "model", "available: SAM-Lite"),
        ({"image": URL, "prompts": [BOX], "device": "tpu"}, "invalid_value", "device", "'auto', 'cpu' or 'gpu'"),
        ({"image": URL, "prompts": [BOX], "outputs": ["svg"]}, "invalid_value", "outputs[0]", "'rle', 'png'"),
        ({"image": URL, "prompts": [BOX], "outputs": []}, "invalid_value", "outputs", "at least 1 item"),
        ({"image": URL, "prompts": [BOX], "metadata": "x"}, "invalid_value", "metadata", "dictionary"),
        ({"image": URL, "prompts": [BOX], "metadata": {"x": "y" * 5000}}, "metadata_too_large", "metadata", "at most"),
        ({"image": URL, "prompts": [BOX], "colour": 1}, "unknown_field", "colour", "allowed: image, model, device"),
        ({"image": URL, "prompts": [BOX], "webhook": {"url": URL}}, "webhooks_unavailable", "webhook", "no OVSEG_WEB"),
        (webhook_of({"events": []}), "invalid_value", "webhook.events", "at least 1 item"),
        (webhook_of({"events": "job.failed"}), "invalid_value", "webhook.events", "must be a list"),
        (webhook_of({"events": ["job.failed", "job.done"]}), "invalid_value", "webhook.events[1]", "'job.started', "),
        (webhook_of({"events": None}), "invalid_value", "webhook.events", "must be a list"),
        (webhook_of({"event": "job.failed"}), "unknown_field", "webhook.event", "allowed: url, events"),
        *(
            ({"image": URL, "prompts": [BOX], "deadline": {"run_within_s": bad}}, code, "deadline.run_within_s", words)
            for bad, code, words in [
                (0, "invalid_value", "should be greater than 0"),
                (-1, "invalid_value", "should be greater than 0"),
                (604_801, "invalid_value", "should be less than or equal to 604800"),
                (float("inf"), "invalid_value", "should be less than or equal"),
                ("60", "invalid_value", "must be a number"),
                (True, "invalid_value", "must be a number"),
            ]
        ),
        ({"image": URL, "prompts": [BOX], "deadline": 60}, "invalid_value", "deadline", "valid dictionary"),
        (
            {"image": URL, "prompts": [BOX], "deadline": {"run_within": 60}},
            "unknown_field",
            "deadline.run_within",
            "allowed: start_within_s, run_within_s",
        ),
        ({"image": "", "prompts": [BOX]}, "image_empty", "image", "no bytes"),
        ({"image": "not base64!", "prompts": [BOX]}, "image_unreadable", "image", "neither an http(s) URL nor base64"),
        ({"image": "data:image/png,abc", "prompts": [BOX]}, "image_unreadable", "image", "must be base64"),
        ({"image": "data:image/png;base64", "prompts": [BOX]}, "image_empty", "image", "no bytes"),
        ({"image": "data:image/png;base64,a", "prompts": [BOX]}, "image_unreadable", "image", "nor base64"),
        ({"image": "data:", "prompts": [BOX]}, "image_unreadable", "image", "must be base64"),
        ({"image": "data:,%ff", "prompts": [BOX]}, "image_format_unsupported", "image", "not an image"),
        ({"image": "data:,%\u00e9", "prompts": [BOX]}, "image_unreadable", "image", "only ASCII"),
        ({"image": "data:,%89P%zz", "prompts": [BOX]}, "image_unreadable", "image", "two hexadecimal digits"),
        ({"image": "data:,%89PN%4", "prompts": [BOX]}, "image_unreadable", "image", "two hexadecimal digits"),
        ({"image": "data:;base64,aGk%", "prompts": [BOX]}, "image_unreadable", "image", "two hexadecimal digits"),
        (
            {"image": base64.b64encode(b"some text").decode(), "prompts": [BOX]},
            "image_format_unsupported",
            "image",
            "JPEG",
        ),
        ({"image": "http://127.0.0.1/a.jpg", "prompts": [BOX]}, "url_forbidden", "image", "not a public address"),
        ({"image": "http://[::1]/a.jpg", "prompts": [BOX]}, "url_forbidden", "image", "not a public address"),
        ({"image": "http://169.254.169.254/", "prompts": [BOX]}, "url_forbidden", "image", "not a public address"),
        ({"image": "http://localhost/a.jpg", "prompts": [BOX]}, "url_forbidden", "image", "not a public address"),
        ({"image": "http://example.com:6379/", "prompts": [BOX]}, "url_forbidden", "image", "port 6379 is not allowed"),
        ({"image": "http://me:pw@example.com/", "prompts": [BOX]}, "url_forbidden", "image", "user name or password"),
        ({"image": "http://example.com:port/", "prompts": [BOX]}, "url_invalid", "image", "not a URL"),
        ({"image": "http:///a.jpg", "prompts": [BOX]}, "url_invalid", "image", "with a host"),
    ],
)
def test_an_invalid_request_is_refused_with_code_and_field(
    body: object, code: str, field: str | None, message: str
) -> None:
    error = errors_of(body)[0]
    assert (error.code, error.field) == (code, field)
    assert message in error.message


def test_all_invalid_fields_are_reported_together() -> None:
    body = {"image": URL, "prompts": [BOX, {"box": [1]}, {"box": [3, 3, 2, 2]}]}
    assert [error.field for error in errors_of(body)] == ["prompts[1].box", "prompts[2].box"]


@pytest.mark.parametrize(
    ("settings", "body", "image", "code"),
    [
        (Settings(max_image_bytes=1000), {"prompts": [BOX]}, pictures.photo(), "image_too_large"),
        (Settings(max_image_pixels=1000), {"prompts": [BOX]}, pictures.photo(), "image_too_many_pixels"),
        (Settings(max_prompts=1), {"image": URL, "prompts": [BOX, BOX]}, None, "too_many_prompts"),
        (SETTINGS, {"image": URL, "prompts": [BOX]}, pictures.photo(), "invalid_request"),
    ],
)
def test_limits_are_those_of_the_settings(settings: Settings, body: Any, image: bytes | None, code: str) -> None:
    assert errors_of(body, image, settings)[0].code == code


@pytest.mark.parametrize(
    ("prompt", "field"),
    [({"box": [600, 0, 700, 10]}, "prompts[0].box"), ({"points": [[1, 513]]}, "prompts[0].points[0]")],
)
def test_a_prompt_outside_an_image_in_the_request_is_refused(prompt: dict[str, Any], field: str) -> None:
    assert errors_of({"prompts": [prompt]}, pictures.photo())[0].field == field


def test_a_box_beyond_the_image_is_accepted_and_clipped_later() -> None:
    request, _ = parse({"prompts": [{"box": [-5, -5, 600, 600]}]}, pictures.photo(), SETTINGS)
    assert request.prompts[0].box == (-5, -5, 600, 600)


@pytest.mark.parametrize(
    "image",
    [
        BASE64,
        base64.encodebytes(pictures.photo()).decode(),  # in lines
        BASE64.rstrip("="),
        "data:image/jpeg;base64," + BASE64,
        " \nDATA:image/jpeg;BASE64," + BASE64,
        "data:;base64," + BASE64,
        "data:image/jpeg; base64 ," + BASE64,
        'data:image/jpeg;name="a, b;\\" c.jpg";charset=utf-8;base64,' + BASE64,
        'data:image/jpeg;name="never closed;base64,' + BASE64,
        "data:image/jpeg;base64," + quote(BASE64, safe=""),  # + / and = as %2B %2F and %3D
        "data:image/jpeg," + quote_from_bytes(pictures.photo()),
        "data:," + "".join(f"%{byte:02x}" for byte in pictures.photo()),
    ],
)
def test_an_image_may_come_as_base64_or_data_url(image: str) -> None:
    request, data = parse({"image": image, "prompts": [BOX]}, None, SETTINGS)
    assert data == pictures.photo()
    assert request.image == ImageSource(content=ImageContent.of(data, header.read(data, SETTINGS.max_image_pixels)))


def test_a_url_is_kept_without_the_spaces_around_it() -> None:
    request, data = parse({"image": " HTTPS://example.com/cat.jpg\n", "prompts": [BOX]}, None, SETTINGS)
    assert (request.image, data) == (ImageSource(url="HTTPS://example.com/cat.jpg"), None)


@pytest.mark.parametrize("payload", ["%", "%%%", "a" * 1_000_000, '"' * 1_000_000, '";' * 500_000, "%41" * 300_000])
@pytest.mark.parametrize("start", ["data:", "data:,", "data:;base64,", 'data:;a="'])
def test_no_data_url_takes_long_to_refuse(start: str, payload: str) -> None:
    began = time.process_time()
    with pytest.raises(OvsegError):
        parse({"image": start + payload, "prompts": [BOX]}, None, SETTINGS)
    assert time.process_time() - began < 5


def test_defaults_are_those_of_the_documentation() -> None:
    request, _ = parse({"image": URL, "prompts": [{"points": [[1, 2], [3, 4]]}]}, None, SETTINGS)
    assert request.model == "SAM-Lite"
    assert request.device == "auto"
    assert request.outputs == ("rle", "overlay")
    assert request.prompts[0].labels == (1, 1)


@pytest.mark.parametrize(
    ("webhook", "events"),
    [
        ({}, ("job.succeeded", "job.failed", "job.canceled", "job.expired")),
        ({"events": ["job.failed", "job.started", "job.failed"]}, ("job.started", "job.failed")),
    ],
)
def test_a_webhook_receives_final_events_unless_it_lists_others(webhook: Any, events: tuple[str, ...]) -> None:
    settings = Settings(webhook_secret=webhook_secret.new())
    body = {"image": URL, "prompts": [BOX], "webhook": {"url": "https://example.com/hook", **webhook}}
    parsed = parse(body, None, settings)[0].webhook
    assert parsed is not None
    assert parsed.events == events
    assert Webhook.model_validate_json(parsed.model_dump_json()) == parsed


def test_paddlex_spelling_means_the_same_as_ours() -> None:
    boxes, points = [[1, 2, 30, 40], [5, 6, 7, 8]], [[1, 2], [3, 4]]
    as_boxes, _ = parse({"image": URL, "prompt": boxes, "promptType": "box"}, None, SETTINGS)
    as_points, _ = parse({"image": URL, "prompt": points, "promptType": "point"}, None, SETTINGS)
    assert as_boxes.prompts == (Prompt.of_box(1, 2, 30, 40), Prompt.of_box(5, 6, 7, 8))
    assert as_points.prompts == (Prompt.of_point(1, 2), Prompt.of_point(3, 4))  # each its own object


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(
    [
        *("image", "prompts", "prompt", "promptType", "multimask", "detector", "detection"),
        *("model", "device", "outputs", "metadata", "webhook", "deadline"),
    ]
)


of_everything = st.just("everything") | st.dictionaries(st.sampled_from(["everything", "box"]), json_values, max_size=2)


@given(st.dictionaries(names, json_values | of_everything) | json_values)
def test_any_json_is_parsed_or_refused_with_a_message(body: object) -> None:
    try:
        parse(body, None, SETTINGS)
    except OvsegError as error:
        refusal = error
    else:
        return
    assert refusal.code
    assert refusal.message


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else None


@pytest.mark.parametrize("depth", [31, 200, 500, 900])
def test_metadata_may_be_nested_up_to_a_limit(depth: int) -> None:
    body = {"image": URL, "prompts": [BOX], "metadata": {"a": nested(depth - 1)}}
    if depth > 32:
        assert "deeper than 32 levels" in errors_of(body)[0].message
    else:
        request, _ = parse(body, None, SETTINGS)
        assert JobRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_metadata_with_nan_or_infinity_is_refused(number: float) -> None:
    [error] = errors_of({"image": URL, "prompts": [BOX], "metadata": {"a": number}})
    assert (error.field, error.message) == ("metadata", "its numbers must be finite and fit into a double (64 bits)")

"""A request's fields as parts of a form, or in the query of a request whose body is the image."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from gateway.text_fields import PROMPTS, EmbeddingTexts, Texts
from gateway.wait_time import WaitQuery
from tests.support import pictures
from worker.job.parsing import EmbeddingFields, JobFields

PHOTO = pictures.photo()
JOBS, EMBEDDINGS = "/v1/jobs", "/v1/embeddings"
Pairs = list[tuple[str, str]]


def form(client: FlaskClient, pairs: list[tuple[str, Any]], path: str = JOBS) -> Any:
    """Send the photo and these fields as a form, in this order."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n'.encode() + _bytes(v) for k, v in pairs]
    file = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + PHOTO
    body = b"\r\n".join([*parts, file, b"--b--\r\n"])
    return client.post(path, data=body, content_type="multipart/form-data; boundary=b")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def image(client: FlaskClient, pairs: Pairs, path: str = JOBS) -> Any:
    """Send the photo as the body, and these fields in the query."""
    return client.post(f"{path}?{urlencode(pairs)}", data=PHOTO, content_type="image/jpeg")


WAYS = pytest.mark.parametrize("send", [form, image])

# fmt: off
SAME = [
    ([("box", "1,2,30,40")], {"prompts": [{"box": [1, 2, 30, 40]}]}),
    ([("point", " 1.5 , 2e1 "), ("box", "1,2,30,40"), ("box", "5,6,7,8.25")],
     {"prompts": [{"box": [1, 2, 30, 40]}, {"box": [5, 6, 7, 8.25]}, {"points": [[1.5, 20]]}]}),
    ([("points", "1,2 3,4,0  5,6,1")], {"prompts": [{"points": [[1, 2], [3, 4], [5, 6]], "labels": [1, 0, 1]}]}),
    ([("prompts", "everything")], {"prompts": "everything"}),
    ([("prompts", ' {"everything": {"points_per_side": 4}}')], {"prompts": {"everything": {"points_per_side": 4}}}),
    ([("prompts", '[{"box": [1, 2, 30, 40], "id": 1}]'), ("multimask", "all")],
     {"prompts": [{"box": [1, 2, 30, 40], "id": 1}], "multimask": "all"}),
    ([("box", "1,2,30,40"), ("outputs", "rle, polygons"), ("polygons", '{"tolerance": 1}'),
      ("metadata", '{"a": "\u732b"}'), ("deadline", '{"run_within_s": 5}'), ("on_invalid_prompt", "skip"),
      ("webhook", "https://example.com/hook")],
     {"prompts": [{"box": [1, 2, 30, 40]}], "outputs": ["rle", "polygons"], "polygons": {"tolerance": 1},
      "metadata": {"a": "\u732b"}, "deadline": {"run_within_s": 5}, "on_invalid_prompt": "skip",
      "webhook": "https://example.com/hook"}),
]
# fmt: on


@WAYS
@pytest.mark.parametrize(("pairs", "fields"), SAME)
def test_texts_mean_the_same_as_json(asked: FlaskClient, send: Any, pairs: Pairs, fields: dict[str, Any]) -> None:
    answer = send(asked, [*pairs, ("device", "gpu"), ("model", "SAM-Lite")])
    assert answer.status_code == 202, answer.text
    as_json = form(asked, [("request", json.dumps({**fields, "device": "gpu"}))])
    assert as_json.status_code == 202, as_json.text
    for name in ("prompts", "outputs", "metadata", "webhook", "deadline", "multimask", "polygons", "model", "device"):
        assert answer.get_json()[name] == as_json.get_json()[name]


# fmt: off
REFUSED = [
    ([("box", "1,2,3")], "invalid_value", "box[0]", "four numbers"),
    ([("box", "1,2,30,40"), ("box", "1,2,3,x")], "invalid_value", "box[1]", "four numbers"),
    ([("box", "")], "invalid_value", "box[0]", "four numbers"),
    ([("box", "1,2,3,nan")], "invalid_value", "box[0]", "four numbers"),
    ([("box", "1,2,3,1e999")], "invalid_value", "box[0]", "four numbers"),
    ([("box", "1,2,3,1.2.3")], "invalid_value", "box[0]", "four numbers"),
    ([("box", "1,2,3,\u0663")], "invalid_value", "box[0]", "four numbers"),
    ([("box", "1," * 200)], "invalid_value", "box[0]", "at most 200"),
    ([("point", "1,2,1")], "invalid_value", "point[0]", "two numbers"),
    ([("points", "1,2,2")], "invalid_value", "points[0]", "a label is 1 or 0"),
    ([("points", "1,2;3,4")], "invalid_value", "points[0]", "separated by spaces"),
    ([("box", "9,2,3,4")], "invalid_prompt", "prompts[0].box", "x1 (3) must be greater"),
    ([("box", "1,2,3,4"), ("prompts", "everything")], "invalid_request", "prompts", "give either"),
    ([("prompts", "all")], "invalid_value", "prompts", "list"),
    ([("prompts", "[{")], "invalid_json", "prompts", "not JSON"),
    ([("prompts", '[{"box": [1, 2, 3, 4], "box": 1}]')], "invalid_json", "prompts", "occurs twice"),
    ([("box", "1,2,3,4"), ("metadata", "x")], "invalid_json", "metadata", "not JSON"),
    ([("box", "1,2,3,4"), ("metadata", "[]")], "invalid_value", "metadata", "dictionary"),
    ([("box", "1,2,3,4"), ("outputs", "rle,,png")], "invalid_value", "outputs[1]", "must be"),
    ([("box", "1,2,3,4"), ("colour", "red")], "unknown_field", "colour", "box, point, points"),
    ([("box", "1,2,3,4"), ("prompt", "[]")], "unknown_field", "prompt", "box, point, points"),
    ([("model", "SAM-Lite")], "prompts_missing", "prompts", "required"),
]
# fmt: on


@WAYS
@pytest.mark.parametrize(("pairs", "code", "field", "message"), REFUSED)
def test_a_wrong_text_is_refused_with_its_field(
    asked: FlaskClient, send: Any, pairs: Pairs, code: str, field: str, message: str
) -> None:
    answer = send(asked, [*pairs, ("device", "gpu")])
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (400 if code == "invalid_json" else 422, code), answer.text
    assert problem["errors"][0]["field"] == field
    if not (send is image and code == "unknown_field"):
        assert message in problem["errors"][0]["message"]
    assert len(answer.data) < 2000


def test_a_field_may_be_given_once_and_prompts_many_times(asked: FlaskClient) -> None:
    twice = [("box", "1,2,3,4"), ("model", "SAM-Lite"), ("model", "SAM-Lite")]
    assert "two parts with this name" in form(asked, twice).get_json()["detail"]
    assert "given 2 times" in image(asked, twice).get_json()["detail"]
    boxes = [("box", f"{i % 500},0,{i % 500 + 1},9") for i in range(1001)]
    assert len(form(asked, [*boxes[:1000], ("device", "gpu")]).get_json()["prompts"]) == 1000
    assert "more than 1,000 parts" in form(asked, boxes).get_json()["detail"]


def test_a_form_has_either_the_json_or_single_fields(asked: FlaskClient) -> None:
    request = json.dumps({"prompts": [{"box": [1, 2, 3, 4]}]})
    answer = form(asked, [("request", request), ("box", "1,2,3,4")])
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "box")


def test_a_text_that_is_not_utf_8_is_refused(asked: FlaskClient) -> None:
    answer = form(asked, [("box", "1,2,3,4"), ("model", b"\xff")])
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "model")
    assert "not UTF-8" in answer.get_json()["detail"]


def test_options_in_the_query_are_refused_unless_the_body_is_an_image(asked: FlaskClient) -> None:
    answer = asked.post(f"{JOBS}?model=SAM-Lite", json={"image": "https://example.com/a.jpg", "prompts": []})
    assert (answer.status_code, answer.get_json()["errors"][0]["field"]) == (422, "model")


@pytest.mark.parametrize(("data", "code"), [(b"", "image_empty"), (b"no image", "image_unreadable")])
def test_a_body_that_should_be_an_image_is_read_as_one(asked: FlaskClient, data: bytes, code: str) -> None:
    answer = asked.post(f"{JOBS}?box=1,2,3,4", data=data, content_type="image/png")
    assert answer.status_code == 422
    assert answer.get_json()["code"] in (code, "image_format_unsupported")


def test_an_embedding_takes_its_own_fields_only(asked: FlaskClient) -> None:
    for send in (form, image):
        assert send(asked, [("device", "gpu"), ("metadata", "{}")], EMBEDDINGS).status_code == 202
        assert send(asked, [("box", "1,2,3,4")], EMBEDDINGS).get_json()["code"] == "unknown_field"


def test_put_takes_an_image_and_other_routes_do_not(asked: FlaskClient) -> None:
    def put() -> Any:
        return asked.put(f"{JOBS}/mine?point=9,9&device=gpu", data=PHOTO, content_type="image/jpeg")

    assert (put().status_code, put().status_code) == (202, 200)
    for path in ("/open-vocabulary-segmentation", "/v1/webhook-endpoints"):
        assert asked.post(path, data=PHOTO, content_type="image/jpeg").status_code == 415


def test_the_names_of_texts_are_those_of_the_fields() -> None:
    """A new field of a request is also a text."""
    texts = {*Texts.model_fields} - {*WaitQuery.model_fields} - {*PROMPTS}
    assert texts == {*JobFields.model_fields} - {"image", "prompt", "promptType"}
    assert {*EmbeddingTexts.model_fields} - {*WaitQuery.model_fields} == {*EmbeddingFields.model_fields} - {"image"}

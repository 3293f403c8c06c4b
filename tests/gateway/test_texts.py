"""Texts, numbers and lengths in requests: each comes back as it was sent, or is refused with its field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

URL = "https://example.com/cat.jpg"
JOB: dict[str, Any] = {"image": URL, "prompts": [{"box": [1, 2, 3, 4]}]}
HOOK: dict[str, Any] = {"url": "https://example.com/hook"}
ARABIC_3, WIDE_3, BOLD_3 = "\u0663", "\uff13", "\U0001d7d1"  # digits for Python's \\d, int and float
HALF = "\ud83d"  # half of an emoji, as JavaScript's slice may leave it
JOBS, ENDPOINTS, EMBEDDINGS = "/v1/jobs", "/v1/webhook-endpoints", "/v1/embeddings"
PADDLEX = "/open-vocabulary-segmentation"


def post(client: FlaskClient, path: str, body: Any) -> TestResponse:
    return client.post(path, data=json.dumps(body), content_type="application/json")


def assert_refused(answer: TestResponse, field: str, message: str, code: str = "invalid_value") -> None:
    assert answer.status_code == 422, answer.text
    problem = answer.get_json()
    assert (problem["code"], [error["field"] for error in problem["errors"]]) == (code, [field])
    assert message in problem["detail"]
    assert len(answer.data) < 10_000


# fmt: off
HALVES = [
    (JOBS, {**JOB, "image": URL + HALF}, "image"),
    (JOBS, {**JOB, "image": HALF}, "image"),
    (JOBS, {**JOB, "model": HALF}, "model"),
    (JOBS, {**JOB, "device": HALF}, "device"),
    (JOBS, {**JOB, "outputs": ["rle", HALF]}, "outputs[1]"),
    (JOBS, {**JOB, "metadata": {"a": HALF}}, "metadata.a"),
    (JOBS, {**JOB, "metadata": {"a": [{"b": "x" + HALF}]}}, "metadata.a[0].b"),
    (JOBS, {**JOB, "metadata": {HALF: 1}}, "metadata.\\ud83d"),
    (JOBS, {**JOB, "metadata": {"a": {"\udc00": 1}}}, "metadata.a.\\udc00"),
    (JOBS, {**JOB, "webhook": {"url": HOOK["url"] + HALF}}, "webhook.url"),
    (JOBS, {**JOB, "webhook": {**HOOK, "events": [HALF]}}, "webhook.events[0]"),
    (JOBS, {**JOB, "prompts": [{"box": [1, 2, 3, HALF]}]}, "prompts[0].box[3]"),
    (JOBS, {"image": URL, "prompt": [[1, 2, 3, 4]], "promptType": HALF}, "promptType"),
    (JOBS, {**JOB, "deadline": {HALF: 1}}, "deadline.\\ud83d"),
    (JOBS, {**JOB, HALF: 1}, "\\ud83d"),
    (EMBEDDINGS, {"image": URL, "metadata": {"a": HALF}}, "metadata.a"),
    (ENDPOINTS, {"url": HOOK["url"] + HALF}, "url"),
    (ENDPOINTS, {**HOOK, "description": HALF}, "description"),
    (ENDPOINTS, {**HOOK, "events": [HALF]}, "events[0]"),
    (f"{ENDPOINTS}/ep_x/replay", {"since": HALF}, "since"),
]
# fmt: on


@pytest.mark.parametrize(("path", "body", "field"), HALVES)
def test_half_a_character_is_refused_with_its_field(asked: FlaskClient, path: str, body: Any, field: str) -> None:
    assert_refused(post(asked, path, body), field, "half of a surrogate pair")


@pytest.mark.parametrize("body", [{"image": URL + HALF}, {"image": URL, "promptType": HALF}, {"image": HALF}])
def test_paddlexs_route_refuses_half_a_character_in_its_own_format(asked: FlaskClient, body: Any) -> None:
    answer = post(asked, PADDLEX, {"prompt": [[1, 2, 3, 4]], "promptType": "box", **body})
    assert (answer.status_code, answer.get_json()["errorCode"]) == (422, 422)
    assert "half of a surrogate pair" in answer.get_json()["errorMsg"]


UNTOUCHED = {
    "emoji \U0001f600 and 図": "\U0001f469\u200d\U0001f680 é é",
    "controls": "\u0000\u0001\u001b[31m\u007f\u0085\u2028\u2029\ufeff\ufffe\uffff",
    "numbers": [0, -1, 1.5, 12345678901234567890123, 10**307, 1e-300, 1.7976931348623157e308],
    "rest": [None, True, [], {}, "", [[[]]]],
    "": {"": ""},
}


def test_metadata_and_descriptions_come_back_as_they_were_sent(asked: FlaskClient) -> None:
    made = post(asked, JOBS, {**JOB, "device": "gpu", "metadata": UNTOUCHED}).get_json()
    assert made["metadata"] == UNTOUCHED
    assert asked.get(f"{JOBS}/{made['id']}").get_json()["metadata"] == UNTOUCHED
    assert asked.get(JOBS).get_json()["jobs"][0]["metadata"] == UNTOUCHED
    text = UNTOUCHED["controls"]
    endpoint = post(asked, ENDPOINTS, {**HOOK, "description": text}).get_json()
    assert asked.get(f"{ENDPOINTS}/{endpoint['id']}").get_json()["description"] == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_may_come_in_every_unicode_encoding(asked: FlaskClient, encoding: str) -> None:
    text = json.dumps({**JOB, "device": "gpu", "metadata": {"a": "é図"}}, ensure_ascii=False)
    answer = asked.post(JOBS, data=text.encode(encoding), content_type="application/json")
    assert (answer.status_code, answer.get_json().get("metadata")) == (202, {"a": "é図"})


# fmt: off
NOT_UNICODE = [
    b'{"image": "caf\xe9"}',              # Latin-1
    b'{"image": "\xed\xa0\xbd"}',         # a surrogate, as CESU-8 writes it
    b'{"image": "\xc0\xaf"}',             # overlong
    b'{"image": "\xff\xfe"}',
    b'\xff\xfe{\x00"\x00\x00\xd8"\x00:\x001\x00}\x00',  # UTF-16 with half a character
]
# fmt: on


@pytest.mark.parametrize("data", NOT_UNICODE)
def test_bytes_that_are_not_unicode_are_400_in_a_body_and_in_a_part(asked: FlaskClient, data: bytes) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n' + data + b"\r\n--b--\r\n"
    for answer in (
        asked.post(JOBS, data=data, content_type="application/json"),
        asked.post(JOBS, data=part, content_type="multipart/form-data; boundary=b"),
        asked.post(PADDLEX, data=data, content_type="application/json"),
        asked.post(ENDPOINTS, data=data, content_type="application/json"),
    ):
        assert answer.status_code == 400, answer.text
        assert "not UTF" in answer.text


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# fmt: off
NOT_JSON = [
    ('{"image": 1', 400, "not JSON"),
    ("", 400, "not JSON"),
    ('{"image": "a", "image": "b"}', 400, "the name 'image' occurs twice"),
    ('{"metadata": {"a": {"x": 1, "x": 1}}}', 400, "the name 'x' occurs twice"),
    (nested(100_000), 400, "nested too deeply"),
    ('{"metadata": {"a": ' + nested(900) + "}}", 422, "deeper than 32 levels"),
    ('{"device": ' + nested(900) + "}", 422, "deeper than 32 levels"),
    ('{"metadata": {"a": ' + "9" * 309 + "}}", 422, "metadata.a: an integer of more than 308 digits"),
    ('{"metadata": {"a": -' + "9" * 100_000 + "}}", 422, "metadata.a: an integer of more than 308 digits"),
    ('{"image": "x", "prompts": [{"box": [1, 2, 3, ' + "9" * 5000 + "]}]}", 422, "prompts[0].box[3]: an integer"),
    ('{"metadata": {"a": 1e400}}', 422, "its numbers must be finite and fit into a double (64 bits)"),
    ('{"metadata": {"a": [' + "1," * 200_000 + "1]}}", 413, "the JSON has more than"),
    ("[" + "[]," * 200_000 + "[]]", 413, "the JSON has more than"),
    ("[" + "{}," * 200_000 + "{}]", 413, "the JSON has more than"),
]
# fmt: on


@pytest.mark.parametrize(("text", "status", "message"), NOT_JSON)
def test_json_that_could_not_be_returned_unchanged_is_refused_with_a_message(
    asked: FlaskClient, text: str, status: int, message: str
) -> None:
    body = text.replace('{"metadata"', json.dumps(JOB)[:-1] + ', "metadata"')
    answer = asked.post(JOBS, data=body, content_type="application/json")
    assert answer.status_code == status, answer.text
    assert message in answer.get_json()["detail"]


MANY = [{"points": [[1, 2]] * 100}] * 101

# fmt: off
TOO_LONG = [
    (JOBS, {**JOB, "image": URL + "?" + "x" * 8192}, "image", "at most 8,192", "url_invalid"),
    (JOBS, {**JOB, "image": " HTTPS://example.com/" + "x" * 10_000_000}, "image", "at most 8,192", "url_invalid"),
    (JOBS, {**JOB, "image": "s3://bucket/" + "x" * 100_000}, "image", "presigned", "url_invalid"),
    (JOBS, {**JOB, "prompts": MANY}, "prompts", "10,100 points in total; at most 10,000", "too_many_points"),
    (JOBS, {**JOB, "model": "x" * 100_000}, "model", "at most 256", "invalid_value"),
    (JOBS, {**JOB, "device": "x" * 100_000}, "device", "must be 'auto'", "invalid_value"),
    (JOBS, {**JOB, "device": {"x": ["y" * 1000] * 1000}}, "device", "must be 'auto'", "invalid_value"),
    (JOBS, {**JOB, "outputs": ["rle"] * 100_000}, "outputs", "a list of at most 32", "invalid_value"),
    (JOBS, {**JOB, "outputs": ["x" * 100_000]}, "outputs[0]", "must be 'rle'", "invalid_value"),
    (JOBS, {**JOB, "prompts": [{"box": ["x"] * 100_000}]}, "prompts[0].box[0]", "a number", "invalid_value"),
    (JOBS, {**JOB, "prompts": [{"box": [1] * 100_000}]}, "prompts[0].box", "got 100000", "invalid_prompt"),
    (JOBS, {**JOB, "metadata": {"x" * 5000: 1}}, "metadata", "at most 4,096", "metadata_too_large"),
    (JOBS, {**JOB, "x" * 100_000: 1}, "x" * 80 + "...", "unknown field", "unknown_field"),
    (JOBS, {**JOB, "webhook": {"url": HOOK["url"] + "x" * 2048}}, "webhook.url", "at most 2048", "invalid_value"),
    (JOBS, {**JOB, "webhook": {**HOOK, "events": ["job.failed"] * 100_000}},
     "webhook.events", "a list of at most 32", "invalid_value"),
    (ENDPOINTS, {"url": HOOK["url"] + "x" * 2048}, "url", "at most 2048", "invalid_value"),
    (ENDPOINTS, {**HOOK, "description": "x" * 257}, "description", "at most 256", "invalid_value"),
    (f"{ENDPOINTS}/ep_x/replay", {"since": "2026-11-20T00:00:00." + "0" * 100_000 + "Z"},
     "since", "RFC 3339", "invalid_value"),
]
# fmt: on


@pytest.mark.parametrize(("path", "body", "field", "message", "code"), TOO_LONG)
def test_every_length_is_limited_and_errors_repeat_no_long_text(
    asked: FlaskClient, path: str, body: Any, field: str, message: str, code: str
) -> None:
    assert_refused(post(asked, path, body), field, message, code)


def test_a_presigned_url_of_four_thousand_characters_is_accepted(asked: FlaskClient) -> None:
    assert post(asked, JOBS, {**JOB, "device": "gpu", "image": URL + "?" + "x" * 4000}).status_code == 202


def test_the_first_100_errors_are_listed_and_the_rest_is_counted(asked: FlaskClient) -> None:
    prompt = {f"x{n}": 1 for n in range(25)}
    answer = post(asked, JOBS, {**JOB, "prompts": [prompt] * 200})
    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) == 100
    assert "and 4,900 more" in answer.get_json()["detail"]


def test_an_object_with_too_many_names_is_refused_without_an_error_for_each(asked: FlaskClient) -> None:
    names = {f"x{n}": 1 for n in range(100_000)}
    for body, field in (({**JOB, **names}, None), ({**JOB, "prompts": [names]}, "prompts[0]")):
        answer = post(asked, JOBS, body)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_field")
        assert [error["field"] for error in answer.get_json().get("errors", [])] == ([field] if field else [])
        assert "names; outside metadata at most 32 are allowed" in answer.get_json()["detail"]
    many = {f"{n}": 1 for n in range(400)}
    assert post(asked, JOBS, {**JOB, "device": "gpu", "metadata": many}).get_json()["metadata"] == many


@pytest.mark.parametrize(
    ("text", "status"),
    [("図" * 700, 202), ("\U0001f600" * 400, 202), ("図" * 1362, 202), ("図" * 1363, 422), ('"' * 2050, 422)],
)
def test_metadata_is_measured_in_the_bytes_of_its_utf_8(asked: FlaskClient, text: str, status: int) -> None:
    answer = post(asked, JOBS, {**JOB, "device": "gpu", "metadata": {"a": text}})
    assert answer.status_code == status, answer.text
    size = len(json.dumps({"a": text}, ensure_ascii=False, separators=(",", ":")).encode())
    assert (size > 4096) == (status == 422)


@pytest.mark.parametrize("scheme", ["s3", "gs", "file", "ftp", "S3", "javascript", "blob", "C"])
def test_a_url_with_another_scheme_is_refused(asked: FlaskClient, scheme: str) -> None:
    answer = post(asked, JOBS, {**JOB, "image": f"{scheme}://bucket/key.jpg"})
    assert_refused(answer, "image", f"{scheme.lower()}: URLs cannot be fetched; give an http(s) URL", "url_invalid")


# fmt: off
OTHER_DIGITS = [
    (JOBS, "cursor", [ARABIC_3, WIDE_3, BOLD_3, "²", "1_0", " 1", "1 ", "+1", "-1", "1e3", "0x1", "", "9" * 17]),
    (JOBS, "limit", [ARABIC_3, WIDE_3, BOLD_3, "²", "1_0", " 1", "+1", "1e1", "1.0", "", "9" * 5000]),
    (f"{JOBS}/x", "wait", [ARABIC_3, WIDE_3, "1_0", " 1", "+1", "1e1", "infinity", "", "9" * 5000, "1." + "0" * 5000]),
    ("/readyz", "workers", [ARABIC_3, "1_0", "-1", ""]),
    (f"{JOBS}/JOB/webhook-deliveries", "cursor", [ARABIC_3, "3x"]),
    (f"{ENDPOINTS}/ENDPOINT/events", "cursor", [ARABIC_3, "3x"]),
    (f"{ENDPOINTS}/ENDPOINT/events", "limit", [ARABIC_3, "101"]),
    (JOBS, "status", ["que\uff55ed", "queued\u0000", "\U0001f600"]),
]
# fmt: on


@pytest.mark.parametrize(("path", "name", "values"), OTHER_DIGITS)
def test_numbers_in_a_query_must_be_ascii_digits(asked: FlaskClient, path: str, name: str, values: list[str]) -> None:
    path = path.replace("ENDPOINT", post(asked, ENDPOINTS, HOOK).get_json()["id"])
    path = path.replace("JOB", post(asked, JOBS, {**JOB, "device": "gpu"}).get_json()["id"])
    for value in values:
        assert_refused(asked.get(path, query_string={name: value}), name, "must be")


@pytest.mark.parametrize(
    "prefer", ["wait=" + ARABIC_3, "wait=" + WIDE_3, "wait=" + "9" * 5000, "wait=-1", "wait=soon", "wait=\xb2"]
)
def test_an_invalid_preference_is_not_applied(asked: FlaskClient, prefer: str) -> None:
    job_id = post(asked, JOBS, {**JOB, "device": "gpu"}).get_json()["id"]
    header = prefer.encode().decode("latin-1")  # a WSGI server passes the bytes of a header like this
    answer = asked.get(f"{JOBS}/{job_id}", environ_overrides={"HTTP_PREFER": header})
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (200, None)


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [
        ("wait=1", "wait=1"),
        ("Wait=1", "wait=1"),
        ('return=minimal, wait = "7"', "wait=7"),
        ("wait=5; x=y, wait=9", "wait=5"),
        ("wait=600", "wait=60"),
        ('x="a, wait=3"', None),
        ("respond-async; wait=3", None),
        ("waiter=3", None),
    ],
)
def test_a_preference_is_parsed_as_in_rfc_7240(asked: FlaskClient, prefer: str, applied: str | None) -> None:
    job_id = post(asked, JOBS, {**JOB, "device": "gpu"}).get_json()["id"]
    answer = asked.get(f"{JOBS}/{job_id}", headers={"Prefer": prefer})
    assert (answer.status_code, answer.headers.get("Preference-Applied")) == (200, applied)


@pytest.mark.parametrize("job_id", [ARABIC_3, "%ff", "%ed%a0%80", "%00", "a%0ab", "é", "x" * 65])
def test_an_invalid_id_is_refused_for_a_new_job_and_not_found_for_any_other_request(
    asked: FlaskClient, job_id: str
) -> None:
    refused = asked.put(f"{JOBS}/{job_id}", json=JOB)
    assert (refused.status_code, refused.get_json()["errors"][0]["field"]) == (422, "id")
    for path in (
        f"{JOBS}/{job_id}",
        f"{JOBS}/{job_id}/webhook-deliveries",
        f"/v1/events/{job_id}",
        f"{ENDPOINTS}/{job_id}",
    ):
        assert asked.get(path).status_code == 404
    for path in (f"{JOBS}/{job_id}/cancel", f"{JOBS}/{job_id}/retry", f"/v1/events/{job_id}/redeliver"):
        assert asked.post(path).status_code == 404


@pytest.mark.parametrize("key", [ARABIC_3, "é", "a\tb", "", "x" * 256, '"open', "\x7f"])
def test_an_idempotency_key_must_be_1_to_255_printable_ascii_characters(asked: FlaskClient, key: str) -> None:
    header = key.encode().decode("latin-1")
    answer = asked.post(JOBS, json=JOB, environ_overrides={"HTTP_IDEMPOTENCY_KEY": header})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_idempotency_key")


def test_a_wrong_command_to_redis_is_500_and_not_an_outage(asked: FlaskClient) -> None:
    job_id = post(asked, JOBS, {**JOB, "device": "gpu"}).get_json()["id"]
    keyspace = asked.application.extensions["ovseg"].keyspace
    keyspace.redis.set(keyspace.key(f"told:{job_id}"), "not a list")  # a ResponseError: WRONGTYPE
    answer = asked.get(f"{JOBS}/{job_id}/webhook-deliveries")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "internal_error")

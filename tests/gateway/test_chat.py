"""`POST /v1/chat/completions`: OpenAI's client works without a change, and gets masks."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests
from flask.testing import FlaskClient
from openai import OpenAI
from pycocotools import mask as coco

from tests.support import contract, pictures
from tests.support.fakes import Host
from tests.support.lone_gateway import LoneGateway
from tests.support.service import Service
from tests.support.waiting import wait_until

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
ROUTE = "/v1/chat/completions"
PHOTO = "data:image/jpeg;base64," + base64.b64encode(pictures.photo()).decode()
BOXES = "box: 140,10,305,180\npoint: 390,430"


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def user(text: str, *urls: str) -> Any:
    """Return one message of the user."""
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": text}, *images]}]


def test_openais_client_gets_a_text_about_the_objects(client: OpenAI, service: Service) -> None:
    answer = client.chat.completions.create(model="SAM-Lite", messages=user(BOXES, PHOTO), temperature=0.2)
    job = service.get(f"/v1/jobs/{answer.id}").json()
    infos = job["result"]["maskInfos"]
    [choice] = answer.choices
    first, second, last, *links = (choice.message.content or "").splitlines()
    boxes = [",".join(map(str, info["box"])) for info in infos]
    assert [first, second] == [
        f"object ({info['score']:.2f}) box: {box}" for info, box in zip(infos, boxes, strict=True)
    ]
    assert (last, choice.finish_reason, choice.message.role) == ("Found 2 objects.", "stop", "assistant")
    assert [link.partition(": ")[0] for link in links] == ["result", "overlay"]
    assert requests.get(links[1].partition(": ")[2], timeout=30).content.startswith(b"\xff\xd8")
    assert (job["priority"], answer.model, answer.object) == ("interactive", "SAM-Lite", "chat.completion")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 0


def test_json_has_the_masks_as_rle(client: OpenAI, trusted_host: Host) -> None:
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    messages = user("", url)
    messages[0]["content"].append({"type": "prompt", "prompt": {"box": [140, 10, 305, 180], "name": "head"}})
    answer = client.chat.completions.create(
        model="SAM-Lite",
        messages=messages,
        response_format={"type": "json_object"},
        extra_body={"ovseg": {"outputs": ["rle"], "metadata": {"mine": 1}}},
    )
    content = json.loads(answer.choices[0].message.content or "")
    [found] = content["objects"]
    assert coco.area({**found["mask"], "counts": found["mask"]["counts"].encode()}) == found["area"]
    assert (found["name"], found["prompt_index"], content["summary"]) == ("head", 0, "Found 1 object: 1 x head.")
    assert content["image"] == {"width": 512, "height": 512}
    assert (content["job"], list(content["files"])) == (answer.id, ["result"])


def test_openais_client_reads_the_stream(client: OpenAI) -> None:
    asked: Any = {"model": "SAM-Lite", "messages": user(BOXES, PHOTO)}
    whole = client.chat.completions.create(**asked).choices[0].message.content or ""
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    *deltas, last, usage = chunks
    texts = [chunk.choices[0].delta.content or "" for chunk in deltas]
    assert len([text for text in texts if "box:" in text]) == 2  # a chunk for each object
    assert "".join(texts).partition("\nresult:")[0] == whole.partition("\nresult:")[0]
    assert [chunk.choices[0].finish_reason for chunk in deltas] == [None] * len(deltas)
    assert last.choices[0].finish_reason == "stop"
    assert usage.usage is not None
    assert (usage.choices, usage.usage.total_tokens) == ([], 0)
    assert len({(chunk.id, chunk.model) for chunk in chunks}) == 1
    as_json = client.chat.completions.create(**asked, stream=True, response_format={"type": "json_object"})
    content = "".join(chunk.choices[0].delta.content or "" for chunk in as_json)
    assert len(json.loads(content)["objects"]) == 2


def test_a_text_may_ask_for_everything(client: OpenAI) -> None:
    """The limit of objects is that of the service."""
    answer = client.chat.completions.create(model="SAM-Lite", messages=user("describe this image", PHOTO))
    lines = (answer.choices[0].message.content or "").splitlines()
    assert f"Found {len(lines) - 3} objects." in lines
    assert len(lines) > 10


def test_a_phrase_without_a_detector_is_answered_with_what_to_pull(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.UnprocessableEntityError, match="`ovseg models pull GroundingDINO-T`") as caught:
            client.chat.completions.create(model="SAM-Lite", messages=user("dog", PHOTO), stream=stream)
        assert (caught.value.code, caught.value.param) == ("model_not_installed", "ovseg.detector")


def test_the_example_of_the_page_works_when_pasted(
    service: Service, trusted_host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    section = API[API.index(f"## `POST {ROUTE}`") : API.index("## Webhooks\n")]
    [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    [printed] = re.findall(r"```text\n(.*?)```", section, re.DOTALL)
    photo = trusted_host.serve("/photo.jpg", pictures.photo())
    code = code.replace("http://127.0.0.1:8080", service.url).replace("https://example.com/photo.jpg", photo)
    exec(compile(code, "docs/api.md", "exec"), {})
    kinds = [re.sub(r"[\d.,]+|http\S+", "", line) for line in capsys.readouterr().out.splitlines()]
    assert kinds == [re.sub(r"[\d.,]+|http\S+", "", line) for line in printed.splitlines()]


def test_openais_client_lists_the_models(client: OpenAI) -> None:
    assert "SAM-Lite" in [model.id for model in client.models.list()]
    assert client.models.retrieve("SAM-Lite").owned_by == "ovseg"


# fmt: off
REFUSED = [
    ({}, 422, "messages", "field required"),
    ({"messages": []}, 422, "messages", "must be a list of messages"),
    ({"messages": [{"role": "user", "content": "dog"}]}, 422, "messages[0]", "0 images; one message must have exactly"),
    ({"messages": user("", PHOTO, PHOTO)}, 422, "messages[0]", "2 images"),
    ({"messages": user("box: 1,2,3", PHOTO)}, 422, "messages[0]", "'box: 1,2,3' must be written as box: x0,y0,x1,y1"),
    ({"messages": user("box: 900,900,950,950", PHOTO)}, 422, "messages[0]", "outside the image"),
    ({"messages": user("dog, \U0001f436", PHOTO)}, 422, "messages[0]", "cannot read"),
    ({"messages": user("", "photo.jpg")}, 422, "messages[0]", "base64"),
    ({"messages": user("", "/etc/passwd")}, 422, "messages[0]", "not an image"),
    ({"messages": user("", "file:///etc/passwd")}, 422, "messages[0]", "file"),
    ({"messages": user("", "http://127.0.0.1/a.jpg")}, 422, "messages[0]", "not a public address"),
    ({"messages": user("", PHOTO), "model": "gpt-4o"}, 422, "model", "there is no model 'gpt-4o'"),
    ({"messages": user("", PHOTO), "n": 2}, 422, "n", "1"),
    ({"messages": user("", PHOTO), "response_format": {"type": "json_schema"}}, 422, "response_format.type", "'text'"),
    ({"messages": user("", PHOTO), "ovseg": {"image": "x"}}, 422, "ovseg.image", "leave it out here"),
    ({"messages": user("", PHOTO), "ovseg": {"colour": "red"}}, 422, "ovseg.colour", "unknown"),
    ({"messages": user("", PHOTO), "ovseg": {"outputs": ["gif"]}}, 422, "ovseg.outputs[0]", "rle"),
    ([], 422, None, "JSON object"),
]
# fmt: on


@pytest.mark.parametrize(("body", "status", "param", "message"), REFUSED)
def test_errors_come_in_openais_envelope(
    asked: FlaskClient, body: Any, status: int, param: str | None, message: str
) -> None:
    for stream in (False, True):
        answer = asked.post(ROUTE, json={**body, "stream": stream} if isinstance(body, dict) else body)
        assert (answer.status_code, answer.mimetype) == (status, "application/json")
        [(name, error)] = answer.get_json().items()
        assert (name, set(error)) == ("error", {"message", "type", "param", "code"})
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        assert message in error["message"]


def test_a_job_that_does_not_end_in_time_is_a_timeout_with_its_id(asked: FlaskClient) -> None:
    answer = asked.post(ROUTE, json={"messages": user("point: 5,5", PHOTO)})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (504, "server_error", "timeout")
    assert error["param"] is None
    assert "get its result from /v1/jobs/" in error["message"]
    assert answer.headers["X-Should-Retry"] == "false"  # OpenAI's client would make a second job of a retry


def test_a_waiting_stream_gets_comments_and_an_error_as_its_last_event(gateway: LoneGateway) -> None:
    threads = gateway.status("Threads")
    answers = [
        requests.post(
            gateway.url + ROUTE, json={"messages": user("point: 5,5", PHOTO), "stream": True}, stream=True, timeout=60
        )
        for _ in range(8)  # twice as many as the gateway has threads
    ]
    lines = [answer.iter_lines(decode_unicode=True) for answer in answers]
    for answer, of_answer in zip(answers, lines, strict=True):
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert [next(of_answer) for _ in range(4)] == [": waiting", ""] * 2
    assert gateway.status("Threads") <= threads + 5  # its four threads, and the one that listens for ends of jobs
    jobs = requests.get(f"{gateway.url}/v1/jobs?limit=100", timeout=30).json()["jobs"]
    for job in jobs[: len(answers)]:
        requests.post(f"{gateway.url}/v1/jobs/{job['id']}/cancel", timeout=30).raise_for_status()
    for of_answer in lines:
        [event] = [line for line in of_answer if line.startswith("data: ")]
        error = json.loads(event.removeprefix("data: "))["error"]
        assert (error["code"], error["type"]) == ("canceled", "invalid_request_error")
        assert not contract.errors({"$ref": "#/components/schemas/ChatProblem"}, {"error": error})


def test_openais_client_raises_the_error_of_a_stream_that_has_begun(gateway: LoneGateway) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        stream = client.chat.completions.create(model="SAM-Lite", messages=user("point: 5,5", PHOTO), stream=True)
        [job] = requests.get(f"{gateway.url}/v1/jobs?limit=1", timeout=30).json()["jobs"]
        requests.post(f"{gateway.url}/v1/jobs/{job['id']}/cancel", timeout=30).raise_for_status()
        with pytest.raises(openai.APIError, match="was canceled") as caught:
            next(stream)
        assert caught.value.code == "canceled"


def newest(gateway: LoneGateway) -> str | None:
    """Return the id of the newest job, if there is one."""
    jobs = requests.get(f"{gateway.url}/v1/jobs?limit=1", timeout=30).json()["jobs"]
    return jobs[0]["id"] if jobs else None


def test_a_client_of_http_1_0_gets_the_whole_stream_at_its_end(gateway: LoneGateway) -> None:
    body = json.dumps({"messages": user("point: 5,5", PHOTO), "stream": True}).encode()
    before = newest(gateway)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        head = f"POST {ROUTE} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(lambda: newest(gateway) != before)
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.recv(1)  # four comments would have come
        client.settimeout(60)
        requests.post(f"{gateway.url}/v1/jobs/{newest(gateway)}/cancel", timeout=30).raise_for_status()
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.0 409")
    assert b": waiting" not in answer

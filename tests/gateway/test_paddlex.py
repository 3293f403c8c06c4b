"""PaddleX's serving routes: PaddleX's clients work without a change."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from flask.testing import FlaskClient
from PIL import Image
from pycocotools import mask as coco
from werkzeug.exceptions import RequestTimeout

from gateway import handover
from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

ROUTE = "/open-vocabulary-segmentation"
PHOTO = base64.b64encode(pictures.photo()).decode()
BOXES = [[140, 10, 305, 180], [340, 4, 462, 300]]

# A client as in the example of PaddleX's tutorial; only the port differs.
CLIENT = """
import base64
import requests

url = "http://localhost:8080/open-vocabulary-segmentation"
with open("./open_vocabulary_segmentation.jpg", "rb") as photo:
    image = base64.b64encode(photo.read()).decode("ascii")
boxes = [[112.9, 118.4, 513.8, 382.1], [4.6, 263.6, 92.2, 336.6], [592.4, 260.9, 607.2, 294.2]]
answer = requests.post(url, json={"image": image, "promptType": "box", "prompt": boxes})
assert answer.status_code == 200
result = answer.json()["result"]
with open("./out.jpg", "wb") as out:
    out.write(base64.b64decode(result["image"]))
print(len(result["masks"]))
"""


def ask(service: Service, **body: Any) -> requests.Response:
    return service.post(ROUTE, json=body)


def test_the_answer_has_paddlexs_fields_and_no_others(service: Service) -> None:
    answer = ask(service, image=PHOTO, prompt=BOXES, promptType="box")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"logId", "result", "errorCode", "errorMsg"}
    assert uuid.UUID(body["logId"])
    assert (body["errorCode"], body["errorMsg"]) == (0, "Success")
    assert set(body["result"]) == {"masks", "maskInfos", "image"}
    assert body["result"]["maskInfos"] == [{"label": "box_prompt", "prompt": [float(v) for v in box]} for box in BOXES]
    for mask in body["result"]["masks"]:
        assert set(mask) == {"rleResult", "size"}
        decoded = coco.decode({"size": mask["size"], "counts": mask["rleResult"].encode()})
        assert decoded.shape == (512, 512)
        assert decoded.any()
    picture = Image.open(io.BytesIO(base64.b64decode(body["result"]["image"])))
    assert (picture.format, picture.size) == ("JPEG", (512, 512))


def test_each_point_is_an_object_of_its_own(service: Service) -> None:
    """PaddleX's documentation says so; its code refuses a second point."""
    body = ask(service, image=PHOTO, prompt=[[390, 430], [220, 90]], promptType="point").json()
    assert body["result"]["maskInfos"] == [
        {"label": "point_prompt", "prompt": [390.0, 430.0]},
        {"label": "point_prompt", "prompt": [220.0, 90.0]},
    ]
    assert len(body["result"]["masks"]) == 2


@pytest.mark.parametrize(("visualize", "has_image"), [(True, True), (None, True), (False, False)])
def test_the_answer_has_the_overlay_unless_visualize_is_false(
    service: Service, visualize: bool | None, has_image: bool
) -> None:
    body = ask(service, image=PHOTO, prompt=BOXES, promptType="box", visualize=visualize).json()
    assert ("image" in body["result"]) == has_image


def test_the_image_may_be_a_url_and_unknown_fields_are_ignored(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    answer = ask(service, image=url, prompt=BOXES, promptType="box", logId="mine", colour="red")
    assert answer.status_code == 200


def test_the_log_id_is_the_id_of_a_job_with_the_same_masks(service: Service) -> None:
    body = ask(service, image=PHOTO, prompt=BOXES, promptType="box").json()
    job = service.get(f"/v1/jobs/{body['logId']}").json()
    assert job["result"]["masks"] == body["result"]["masks"]


# fmt: off
REFUSED = [
    ({"prompt": BOXES, "promptType": "box"}, 422, "image"),
    ({"image": PHOTO, "promptType": "box"}, 422, "prompt"),
    ({"image": PHOTO, "prompt": BOXES}, 422, "promptType"),
    ({"image": PHOTO, "prompt": BOXES, "prompt_type": "box"}, 422, "promptType"),
    ({"image": PHOTO, "prompt": BOXES, "promptType": "mask"}, 422, "'box', 'point', 'everything' or 'text'"),
    ({"image": PHOTO, "prompt": BOXES, "promptType": "text"}, 422, "prompt[0]: must be a phrase"),
    ({"image": PHOTO, "prompt": "dog.", "promptType": "text"}, 422, "`ovseg models pull GroundingDINO-T`"),
    ({"image": PHOTO, "prompt": [1, 2, 3, 4], "promptType": "box"}, 422, "prompt[0]"),
    ({"image": PHOTO, "prompt": [], "promptType": "box"}, 422, "at least one"),
    ({"image": PHOTO, "prompt": BOXES, "promptType": "box", "visualize": "no"}, 422, "true, false or null"),
    ({"image": "!", "prompt": BOXES, "promptType": "box"}, 422, "base64"),
    ({"image": base64.b64encode(b"text").decode(), "prompt": BOXES, "promptType": "box"}, 422, "not an image"),
    ({"image": PHOTO[:20_000], "prompt": BOXES, "promptType": "box"}, 422, "breaks off"),
    ({"image": "http://127.0.0.1/a.jpg", "prompt": BOXES, "promptType": "box"}, 422, "not a public address"),
    ([], 422, "JSON object"),
]
# fmt: on


@pytest.mark.parametrize(("body", "status", "message"), REFUSED)
def test_errors_come_in_paddlexs_envelope(service: Service, body: Any, status: int, message: str) -> None:
    answer = service.post(ROUTE, json=body)
    assert answer.status_code == status
    envelope = answer.json()
    assert set(envelope) == {"logId", "errorCode", "errorMsg"}
    assert envelope["errorCode"] == status
    assert message in envelope["errorMsg"]


# Requests that are refused before a view runs: their method, host, origin, query or body is wrong.
REFUSED_EARLY: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", ROUTE, {}, 405),
    ("POST", "/health", {}, 405),
    ("FOO", "/health", {}, 405),
    ("GET", ROUTE, {"headers": {"Host": "evil.example"}}, 403),
    ("POST", ROUTE, {"headers": {"Origin": "https://evil.example"}}, 403),
    ("GET", "/health", {"query_string": "wait=1"}, 422),
    ("POST", ROUTE, {"data": b"{}", "content_type": "text/plain"}, 415),
    ("POST", ROUTE, {"data": b"{", "content_type": "application/json"}, 400),
    ("POST", ROUTE, {"environ_overrides": {handover.REFUSAL: RequestTimeout("too slow")}}, 408),
    ("GET", ROUTE, {"environ_overrides": {handover.REFUSAL: RequestTimeout("too slow")}}, 408),
]


@pytest.mark.parametrize(("method", "path", "request_", "status"), REFUSED_EARLY)
def test_a_request_that_reaches_no_view_is_refused_in_the_same_envelope(
    asked: FlaskClient, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = asked.open(path, method=method, **request_)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert answer.json is not None
    assert set(answer.json) == {"logId", "errorCode", "errorMsg"}
    assert answer.json["errorCode"] == status
    assert answer.json["errorMsg"]
    assert ("Allow" in answer.headers) == (status == 405)


def test_errors_of_all_other_paths_are_problem_details(asked: FlaskClient) -> None:
    others = ("paddlex.", "chat.")  # OpenAI's route has an envelope of its own, too
    rules = [rule for rule in asked.application.url_map.iter_rules() if not rule.endpoint.startswith(others)]
    assert rules
    for path in (*(re.sub("<[^>]+>", "x", rule.rule) for rule in rules), "/nowhere", "/health/", f"{ROUTE}/"):
        assert asked.open(path, method="FOO").mimetype == "application/problem+json", path


def test_health_answers_as_paddlexs_does(service: Service) -> None:
    body = service.get("/health").json()
    assert body | {"logId": ""} == {"logId": "", "errorCode": 0, "errorMsg": "Healthy"}


def test_the_client_of_paddlexs_tutorial_runs_and_writes_its_jpeg(service: Service, tmp_path: Path) -> None:
    photo = Image.open(io.BytesIO(pictures.photo())).resize((640, 427))
    photo.save(tmp_path / "open_vocabulary_segmentation.jpg")
    (tmp_path / "client.py").write_text(CLIENT.replace(":8080", f":{service.port}"))
    ran = subprocess.run([sys.executable, "client.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "3\n", ran.stderr
    assert np.asarray(Image.open(tmp_path / "out.jpg")).shape == (427, 640, 3)


def test_an_image_too_long_for_jpeg_has_a_png_overlay_and_a_scaled_jpeg_in_paddlexs_answer(service: Service) -> None:
    line = pictures.encoded(Image.new("RGB", (65_600, 8), "teal"), "PNG")
    image, box = base64.b64encode(line).decode(), [-1e10, -1, 1e10, 300]
    answer = ask(service, image=image, prompt=[box], promptType="box")
    assert answer.status_code == 200, answer.text
    picture = Image.open(io.BytesIO(base64.b64decode(answer.json()["result"]["image"])))
    assert (picture.format, picture.size) == ("JPEG", (65_500, 8))
    job = service.wait(answer.json()["logId"])
    assert job["files"]["overlay"]["key"].endswith("overlay.png")
    overlay = requests.get(job["files"]["overlay"]["url"], timeout=60)
    assert overlay.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(overlay.content)).size == (65_600, 8)

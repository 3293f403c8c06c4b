"""Text prompts over HTTP, through a real gateway, a real worker and storage, with a detector of two colours."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from pycocotools import mask as coco

from configs.settings import Settings
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from ovseg_core.paddlex import detection_prompt
from ovseg_core.paddlex.thresholds import Thresholds
from tests.support import colour_worker, contract, lone_gateway, pictures

DETECTOR = colour_worker.NAME
HW = (240, 380)
RED, GREEN = (0, 1), (1, 4)  # cells of the scene
CERTAIN = {"box_threshold": 0.55, "text_threshold": 0.55}  # zeros are logits of words that do not fit
PIXELS = colour_worker.scene({RED: "r", GREEN: "g"}, HW)
PHOTO = pictures.encoded(Image.fromarray(PIXELS), "PNG")
BASE64 = base64.b64encode(PHOTO).decode()
PATIENCE_SECONDS = 120  # enough for a busy machine that loads a model

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(redis_url: str, s3: Seaweedfs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Send requests to a service whose worker has the detector; each answer is as the OpenAPI document describes it."""
    folder = tmp_path_factory.mktemp("models")
    settings = Settings(
        redis_url=redis_url, redis_prefix="text-prompts:", s3_endpoint_url=s3.endpoint_url, s3_bucket=BUCKET
    )
    with lone_gateway.running(settings, is_patient=True) as gateway, colour_worker.running(settings, folder):

        def asked(method: str, path: str, **kwargs: Any) -> Any:
            answer = requests.request(method, gateway.url + path, timeout=PATIENCE_SECONDS, **kwargs)
            route = path.partition("?")[0]
            urls = contract.gateway().url_map
            contract.check(urls, method, route, answer.status_code, answer.headers, answer.content)
            assert answer.ok, answer.text
            return answer.json()

        deadline = time.monotonic() + PATIENCE_SECONDS
        while not asked("GET", f"/v1/models/{DETECTOR}")["installed"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield asked


def overlap(mask: Mapping[str, Any], cell: tuple[int, int]) -> float:
    """Return the IoU of a mask of a result and the object in a cell."""
    found = coco.decode({"size": mask["size"], "counts": mask["rleResult"].encode()}).astype(bool)
    x0, y0, x1, y1 = colour_worker.box(cell, HW)
    expected = np.zeros(HW, bool)
    expected[y0:y1, x0:x1] = True
    return float((found & expected).sum() / (found | expected).sum())


def test_texts_of_a_form_give_masks_and_a_click_refines_one_that_keeps_its_phrase(ask: Ask) -> None:
    fields = [("text", "g"), ("text", "r"), ("detection", json.dumps(CERTAIN)), ("outputs", "rle,overlay,polygons")]
    job = ask("POST", "/v1/jobs?wait=60", data=fields, files={"image": ("a.png", PHOTO)})
    assert job["status"] == "succeeded", job["error"]
    assert (job["prompts"], job["detector"], job["detection"]) == ([{"text": "g"}, {"text": "r"}], DETECTOR, CERTAIN)
    infos, masks = job["result"]["maskInfos"], job["result"]["masks"]
    assert [(info["prompt"], info["prompt_index"], info["phrase_index"]) for info in infos] == [
        ("g", 0, 0),
        ("r", 1, 0),
    ]
    assert overlap(masks[0], GREEN) > 0.8
    assert overlap(masks[1], RED) > 0.8
    assert infos[1]["coordinate"] == pytest.approx(colour_worker.box(RED, HW), abs=2)
    assert job["timings_ms"]["detect"] > 0

    x0, y0, x1, y1 = colour_worker.box(RED, HW)
    refined = {"mask": {"job": job["id"], "index": 1}, "points": [[(x0 + x1) / 2, (y0 + y1) / 2]]}
    later = ask("POST", "/v1/jobs?wait=60", json={"image": BASE64, "prompts": [refined]})
    [info] = later["result"]["maskInfos"]
    assert (info["label"], info["name"]) == ("mask_prompt", "r")
    again = ask("POST", f"/v1/jobs/{job['id']}/retry?wait=60")
    assert again["result"]["maskInfos"] == infos


def test_nothing_found_is_a_success_also_in_lists(ask: Ask) -> None:
    body = {"image": BASE64, "prompts": [{"text": "r", "box": [200, 0, 380, 240]}], "detection": CERTAIN}
    job = ask("POST", "/v1/jobs?wait=60", json={**body, "outputs": ["rle"]})
    assert (job["status"], job["result"]["maskInfos"], job["result"]["masks"]) == ("succeeded", [], [])
    [listed] = [each for each in ask("GET", "/v1/jobs")["jobs"] if each["id"] == job["id"]]
    assert (listed["prompts"], listed["detector"]) == (body["prompts"], DETECTOR)


def test_a_worker_reports_the_detector_that_it_has_loaded(ask: Ask) -> None:
    body = {"image": BASE64, "prompts": [{"text": "r"}], "outputs": ["rle"]}
    assert ask("POST", "/v1/jobs?wait=60", json=body)["status"] == "succeeded"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (shown := ask("GET", f"/v1/models/{DETECTOR}"))["workers"][0]["is_loaded"]:
        assert time.monotonic() < deadline  # it reports with its next heartbeat
        time.sleep(0.1)
    assert (shown["prompts"], shown["workers"][0]["precision"]) == (["text"], "float32")


def test_a_chat_names_the_objects_of_its_phrases(ask: Ask) -> None:
    url = {"url": f"data:image/png;base64,{BASE64}"}
    parts = [{"type": "text", "text": "r, g"}, {"type": "image_url", "image_url": url}]
    body = {"messages": [{"role": "user", "content": parts}], "ovseg": {"detection": CERTAIN}}
    as_json = ask("POST", "/v1/chat/completions", json={**body, "response_format": {"type": "json_object"}})
    content = json.loads(as_json["choices"][0]["message"]["content"])
    assert {found["name"] for found in content["objects"]} == {"r", "g"}
    for found in content["objects"]:
        cell = RED if found["name"] == "r" else GREEN
        assert overlap({"size": found["mask"]["size"], "rleResult": found["mask"]["counts"]}, cell) > 0.8
        assert found["score"] > 0.55  # the detector's
    text = ask("POST", "/v1/chat/completions", json=body)["choices"][0]["message"]["content"]
    assert content["summary"] in text
    assert content["summary"].startswith(f"Found {len(content['objects'])} objects: ")


def test_paddlexs_route_takes_phrases_as_the_library_does(ask: Ask) -> None:
    body = {"image": BASE64, "promptType": "text", "prompt": "r. g", "visualize": False}
    result = ask("POST", "/open-vocabulary-segmentation", json=body)["result"]
    assert {info["label"] for info in result["maskInfos"]} == {"text_prompt"}
    for phrase, cell in (("r", RED), ("g", GREEN)):
        both = zip(result["maskInfos"], result["masks"], strict=True)
        best = max((each for each in both if each[0]["prompt"] == phrase), key=lambda each: each[0]["detection_score"])
        assert overlap(best[1], cell) > 0.8


def test_paddlexs_route_for_detection_answers_with_paddlexs_boxes_and_labels(ask: Ask, tmp_path: Path) -> None:
    prompt = "r . g ."
    body = {"image": BASE64, "prompt": prompt, "thresholds": CERTAIN}
    answer = ask("POST", "/open-vocabulary-detection", json=body)
    assert (answer["errorCode"], answer["errorMsg"]) == (0, "Success")
    detector, parsed = colour_worker.made(tmp_path), detection_prompt.Prompt.of(prompt)
    centres, logits = detector.answer(detector.encode(PIXELS), detector.encode_text(parsed.text))
    expected = detection_prompt.boxes(parsed, logits, centres, HW, Thresholds(**CERTAIN))
    found = answer["result"]["detectedObjects"]
    assert [each["categoryName"] for each in found] == [each["label"] for each in expected]
    for word, cell in (("r", RED), ("g", GREEN)):
        [box] = [each["bbox"] for each in found if word in each["categoryName"]]
        assert box == pytest.approx(colour_worker.box(cell, HW), abs=2)
    for ours, library in zip(found, expected, strict=True):
        assert ours["bbox"] == pytest.approx(library["coordinate"], abs=1e-3)
        assert ours["score"] == pytest.approx(library["score"], abs=1e-5)
    picture = Image.open(io.BytesIO(base64.b64decode(answer["result"]["image"])))
    assert (picture.format, picture.size) == ("JPEG", (HW[1], HW[0]))
    without = ask("POST", "/open-vocabulary-detection", json={**body, "visualize": False})["result"]
    assert without == {"detectedObjects": found}
    job = ask("GET", f"/v1/jobs/{answer['logId']}")
    assert (job["prompts"], job["model"], job["result"]["maskInfos"]) == ({"detect": prompt}, DETECTOR, [])
    assert job["result"]["detectedObjects"] == found

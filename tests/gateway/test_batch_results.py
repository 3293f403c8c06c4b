"""The results of a batch: JSON lines in the order of the manifest, a data set for COCO's tools, a retry of the rest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import requests
from flask.testing import FlaskClient
from pycocotools import mask as masks

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from tests.support import lone_gateway, protocol
from worker.batch.item import job_id_of
from worker.job import result_document
from worker.job.record import Job
from worker.store import object_names

BATCHES = "/v1/batches"
MASK = np.zeros((4, 6), np.uint8)
MASK[1:3, 2:6] = 1
RLE = masks.encode(np.asfortranarray(MASK))
PICTURE = {"width": 6, "height": 4, "format": "PNG"}
ROW = {"rleResult": RLE["counts"].decode(), "size": [4, 6]}


def submit(client: FlaskClient, batch_id: str, *ids: str) -> None:
    rows = [{"id": each, "image": f"https://example.com/{each}", "prompts": [{"box": [1, 2, 3, 4]}]} for each in ids]
    assert client.put(f"{BATCHES}/{batch_id}", json={"items": rows}).status_code == 202


def succeed(
    services: GatewayServices,
    batch_id: str,
    item_id: str,
    name: str | None = None,
    count: int = 1,
    phrase: str | None = None,
) -> Job:
    """End the job of an item as a worker does, with some equal masks."""
    job = protocol.begin(services.jobs, job_id_of(batch_id, item_id))
    info = {"label": "box_prompt", "prompt": [1, 2, 3, 4], "score": 0.5, "box": [2, 1, 6, 3], "area": 8}
    info |= {"prompt_index": 0, **({"name": name, "id": 17} if name else {})}
    info |= {"label": "text_prompt", "prompt": phrase} if phrase else {}
    document = result_document.of(job.shown_id, {"masks": [ROW] * count, "maskInfos": [info] * count})
    services.storage.put(object_names.result(job.attempt_prefix), json.dumps(document).encode(), "application/json")
    assert services.jobs.succeed(job, PICTURE, {}, count) == "succeeded"
    return job


def lines(client: FlaskClient, batch_id: str, **headers: str) -> list[dict[str, Any]]:
    answer = client.get(f"{BATCHES}/{batch_id}/results", headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson")
    data = gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") == "gzip" else answer.data
    return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def filled(client: FlaskClient, services: GatewayServices) -> str:
    """A batch of six items: two succeeded, one failed, one was deleted, one is queued, and the last one waits."""
    submit(client, "mixed", "a", "b", "c", "d", "e")
    services.feeder.sweep()
    succeed(services, "mixed", "a", name="car", count=2)
    gone = succeed(services, "mixed", "b")
    services.storage.delete([object_names.result(gone.attempt_prefix)])
    services.jobs.fail(protocol.begin(services.jobs, job_id_of("mixed", "c")), protocol.BROKEN)
    assert client.delete(f"/v1/jobs/{job_id_of('mixed', 'd')}").status_code == 204
    submit(client, "mixed", "f")
    return "mixed"


def test_each_item_has_a_line_in_the_order_of_the_manifest(client: FlaskClient, filled: str) -> None:
    found = lines(client, filled)
    assert [(row["id"], row["status"]) for row in found] == [
        ("a", "succeeded"),
        ("b", "succeeded"),
        ("c", "failed"),
        ("d", "deleted"),
        ("e", "queued"),
        ("f", "waiting"),
    ]
    assert found[0]["job"] == job_id_of(filled, "a")
    assert found[0]["result"]["masks"] == [ROW, ROW]
    assert found[0]["image"] == PICTURE
    assert (found[1]["result"], found[1]["result_gone"]) == (None, {"reason": "removed_from_storage"})
    assert found[2]["error"] == {"code": "internal_error", "message": "it broke", "field": None}
    assert [row["job"] for row in found[3:]] == [None, job_id_of(filled, "e"), None]
    assert lines(client, filled, **{"Accept-Encoding": "gzip"}) == found


def test_waiting_items_of_a_canceled_batch_are_canceled_in_the_results(client: FlaskClient, filled: str) -> None:
    client.post(f"{BATCHES}/{filled}/cancel")
    assert lines(client, filled)[5]["status"] == "canceled"


def test_the_categories_of_a_data_set_are_names_of_prompts_and_else_their_phrases(
    client: FlaskClient, services: GatewayServices
) -> None:
    submit(client, "phrases", "1", "2", "3")
    services.feeder.sweep()
    succeed(services, "phrases", "1", phrase="remote control")
    succeed(services, "phrases", "2", name="car", phrase="red car")
    succeed(services, "phrases", "3")
    found = client.get(f"{BATCHES}/phrases/results?format=coco").get_json()
    assert [each["name"] for each in found["categories"]] == ["remote control", "car", "object"]


def test_the_data_set_is_readable_by_cocos_tools(client: FlaskClient, services: GatewayServices) -> None:
    submit(client, "coco", "train/1.jpg", "train/2.jpg", "train/3.jpg")
    services.feeder.sweep()
    succeed(services, "coco", "train/1.jpg", name="car", count=2)
    succeed(services, "coco", "train/3.jpg")
    answer = client.get(f"{BATCHES}/coco/results?format=coco")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="coco.coco.json"'
    found: Mapping[str, Any] = answer.get_json()
    assert found["images"] == [
        {
            "id": n,
            "file_name": f"train/{n}.jpg",
            "width": 6,
            "height": 4,
            "coco_url": f"https://example.com/train/{n}.jpg",
        }
        for n in (1, 3)
    ]
    assert found["categories"] == [{"id": 1, "name": "car"}, {"id": 2, "name": "object"}]
    assert [(row["id"], row["image_id"], row["category_id"], row["bbox"]) for row in found["annotations"]] == [
        (1, 1, 1, [2, 1, 4, 2]),
        (2, 1, 1, [2, 1, 4, 2]),
        (3, 3, 2, [2, 1, 4, 2]),
    ]
    assert found["annotations"][0]["prompt_id"] == 17
    for row in found["annotations"]:
        assert np.array_equal(masks.decode(row["segmentation"]), MASK)
        assert row["area"] == masks.area(row["segmentation"])


def test_a_batch_without_results_is_an_empty_data_set(client: FlaskClient) -> None:
    submit(client, "none", "a")
    found = client.get(f"{BATCHES}/none/results?format=coco").get_json()
    assert (found["images"], found["annotations"], found["categories"]) == ([], [], [])


def test_what_failed_or_was_canceled_is_tried_again_as_another_batch(
    client: FlaskClient, services: GatewayServices, filled: str
) -> None:
    assert client.post(f"{BATCHES}/{filled}/retry").get_json()["code"] == "batch_not_final"
    client.post(f"{BATCHES}/{filled}/cancel")
    services.feeder.sweep()
    key = {"Idempotency-Key": "again"}
    first, second = (client.post(f"{BATCHES}/{filled}/retry", headers=key) for _ in range(2))
    assert first.status_code == second.status_code == 202
    assert first.get_json()["id"] == second.get_json()["id"] != filled
    assert second.headers["Idempotency-Replayed"] == "true"
    services.feeder.sweep()
    again = lines(client, first.get_json()["id"])
    assert [(row["id"], row["status"]) for row in again] == [("c", "queued"), ("e", "queued"), ("f", "queued")]


def test_nothing_is_tried_again_if_nothing_failed(client: FlaskClient, services: GatewayServices) -> None:
    submit(client, "good", "a")
    services.feeder.sweep()
    succeed(services, "good", "a")
    assert client.post(f"{BATCHES}/good/retry").get_json()["code"] == "nothing_to_retry"


def test_a_long_answer_is_sent_piece_by_piece(s3_settings: Settings) -> None:
    """By the real server: the whole answer has 60 MB, and the gateway does not grow by as much."""
    with create_app(s3_settings).test_client() as client, lone_gateway.running(s3_settings) as gateway:
        services: GatewayServices = client.application.extensions["ovseg"]
        names = [str(n) for n in range(150)]
        submit(client, "long", *names)
        services.feeder.sweep()
        for name in names:
            job = protocol.begin(services.jobs, job_id_of("long", name))
            document = json.dumps(result_document.of(name, {"maskInfos": [], "pad": "x" * 400_000})).encode()
            services.storage.put(object_names.result(job.attempt_prefix), document, "application/json")
            services.jobs.succeed(job, PICTURE, {}, 0)
        before = gateway.status("VmRSS")
        with requests.get(f"{gateway.url}{BATCHES}/long/results", stream=True, timeout=60) as answer:
            assert "Content-Length" not in answer.headers
            assert [json.loads(line)["id"] for line in answer.iter_lines(1 << 20)] == names
        assert gateway.status("VmHWM") - before < 50_000


def test_an_answer_that_cannot_be_completed_is_cut(s3_settings: Settings) -> None:
    with create_app(s3_settings).test_client() as client, lone_gateway.running(s3_settings) as gateway:
        services: GatewayServices = client.application.extensions["ovseg"]
        submit(client, "cut", *(f"{n:0100}" for n in range(500)))  # their lines are two pieces
        submit(client, "cut", "lost")
        services.storage.delete(list(services.storage.list("batches/cut/items/00000002")))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            requests.get(f"{gateway.url}{BATCHES}/cut/results", timeout=60)
        services.storage.delete_prefix("batches/cut/items/")
        assert requests.get(f"{gateway.url}{BATCHES}/cut/results", timeout=60).status_code == 410

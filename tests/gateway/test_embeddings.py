"""An image is encoded before its first prompt, and once for all its jobs; the metrics count it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from configs.settings import Settings
from ovseg_core.segmenter import Segmenter
from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

HEAD = {"box": [140, 10, 305, 180]}


def photo(seed: int) -> bytes:
    """A photo that no other test sends."""
    pixels = np.random.default_rng(seed).integers(0, 256, (90, 120, 3), np.uint8)
    return pictures.encoded(Image.fromarray(pixels), "PNG")


def warm(service: Service, image: bytes, **fields: Any) -> requests.Response:
    return service.post("/v1/embeddings", files={"image": ("a.png", image)}, data={"request": json.dumps(fields)})


def segmented(service: Service, image: bytes, **fields: Any) -> dict[str, Any]:
    data = {"request": json.dumps({"prompts": [{"box": [10, 10, 60, 60]}], **fields})}
    return service.wait(service.post("/v1/jobs", files={"image": ("a.png", image)}, data=data).json()["id"])


def metric(service: Service, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", service.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_an_image_is_encoded_before_its_first_prompt(service: Service) -> None:
    image = photo(1)
    accepted = warm(service, image, metadata={"mine": 1})
    assert accepted.status_code == 202
    assert accepted.headers["Location"] == f"/v1/jobs/{accepted.json()['id']}"
    job = service.wait(accepted.json()["id"])
    assert (job["status"], job["embedding_cache"], job["prompts"]) == ("succeeded", "miss", [])
    assert job["timings_ms"]["encode"] > 0
    ran = Segmenter.open("SAM-Lite", precision=Settings().precision)
    assert (job["engine"], job["precision"]) == (ran.engine, ran.precision)
    assert job["metadata"] == {"mine": 1}
    assert job["result"] == {"maskInfos": [], "made_by": job["result"]["made_by"]}
    then = segmented(service, image)
    assert (then["status"], then["embedding_cache"], then["timings_ms"]["encode"]) == ("succeeded", "hit", 0)
    assert len(then["result"]["masks"]) == 1


def test_a_form_with_the_image_alone_is_enough(service: Service) -> None:
    accepted = service.post("/v1/embeddings", files={"image": ("a.png", photo(20))})
    assert accepted.status_code == 202, accepted.text
    assert service.wait(accepted.json()["id"])["status"] == "succeeded"


def test_the_image_may_also_come_by_url(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/warm.png", photo(2))
    answer = service.post("/v1/embeddings", json={"image": url, "model": "SAM-Lite"})
    assert service.wait(answer.json()["id"])["embedding_cache"] == "miss"
    assert segmented(service, photo(2))["embedding_cache"] == "hit"


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"prompts": [HEAD]}, "prompts"), ({"model": "SAM-X"}, "model"), ({"outputs": ["rle"]}, "outputs")],
)
def test_fields_that_need_a_prompt_are_refused(service: Service, fields: dict[str, Any], field: str) -> None:
    answer = warm(service, photo(3), **fields)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_a_request_without_an_image_is_refused(service: Service) -> None:
    assert service.post("/v1/embeddings", json={}).json()["errors"][0]["code"] == "image_missing"
    assert warm(service, b"not a picture").json()["errors"][0]["code"] == "image_format_unsupported"


def test_an_idempotency_key_makes_one_job(service: Service) -> None:
    headers = {"Idempotency-Key": "warm-once"}
    parts = {"files": {"image": ("a.png", photo(4))}, "data": {"request": "{}"}}
    answers = [service.post("/v1/embeddings", headers=headers, **parts) for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert service.wait(answers[0].json()["id"])["status"] == "succeeded"


def test_metrics_count_hits_misses_jobs_and_workers(service: Service) -> None:
    hits, misses = (metric(service, f'ovseg_embeddings_total{{cache="{kind}"}}') for kind in ("hit", "miss"))
    ended = metric(service, 'ovseg_jobs_ended_total{status="succeeded"}')
    for _ in range(2):
        segmented(service, photo(5))
    assert metric(service, 'ovseg_embeddings_total{cache="hit"}') == hits + 1
    assert metric(service, 'ovseg_embeddings_total{cache="miss"}') == misses + 1
    assert metric(service, 'ovseg_jobs_ended_total{status="succeeded"}') == ended + 2
    assert metric(service, 'ovseg_workers{device="cpu"}') == 1
    assert service.get("/metrics").headers["Content-Type"].startswith("text/plain")

"""Ids and names of prompts, skipped prompts and simplified polygons, in the real service."""

from __future__ import annotations

import json
from typing import Any

from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

HEAD, HELMET = {"box": [140, 10, 305, 180]}, {"points": [[390, 430]]}
EMPTY, OUTSIDE = {"box": [5, 2, 5, 4]}, {"box": [600, 0, 700, 10]}


def result_of(service: Service, image: str, **fields: Any) -> dict[str, Any]:
    answer = service.post("/v1/jobs?wait=60", json={"image": image, **fields})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded"), answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def test_masks_have_the_id_and_the_name_of_their_prompt(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/notes.jpg", pictures.photo())
    prompts = [HEAD, {**HELMET, "id": 17, "name": "helmet"}, {**HEAD, "name": "head"}]
    result = result_of(service, url, prompts=prompts, outputs=["rle"], multimask="all")
    words = [[info.get(name) for name in ("prompt_index", "id", "name")] for info in result["maskInfos"]]
    assert words == [[0, None, None], *[[1, 17, "helmet"]] * 3, [2, None, "head"]]
    assert "skipped" not in result


def test_a_job_skips_what_the_gateway_and_what_the_worker_finds_invalid(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/skipped.jpg", pictures.photo())
    prompts = [EMPTY, {**OUTSIDE, "id": "far"}, HELMET, {**HEAD, "id": "head"}]
    result = result_of(service, url, prompts=prompts, outputs=["rle", "png"], on_invalid_prompt="skip")
    assert [(info["prompt_index"], info.get("id")) for info in result["maskInfos"]] == [(2, None), (3, "head")]
    skipped = [(each["prompt_index"], each.get("id"), each["error"]["code"]) for each in result["skipped"]]
    assert skipped == [(0, None, "invalid_prompt"), (1, "far", "box_outside_image")]
    plain = result_of(service, url, prompts=[HELMET, HEAD], outputs=["rle"])
    assert result["masks"] == plain["masks"]
    assert result_of(service, url, prompts=[HEAD], outputs=["rle"], on_invalid_prompt="skip")["skipped"] == []


def test_a_job_of_which_no_prompt_is_valid_fails(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/outside.jpg", pictures.photo())
    body = {"image": url, "prompts": [EMPTY, OUTSIDE], "on_invalid_prompt": "skip"}
    job = service.post("/v1/jobs?wait=60", json=body).json()
    assert (job["status"], job["error"]["code"], job["error"]["field"]) == (
        "failed",
        "box_outside_image",
        "prompts[1].box",
    )


def test_polygons_are_simplified_and_a_plain_webhook_is_notified(service: Service, trusted_host: Host) -> None:
    url, hook = trusted_host.serve("/polygons.jpg", pictures.photo()), trusted_host.serve("/hooks/plain")
    fields: dict[str, Any] = {"prompts": [HEAD], "outputs": ["polygons"]}
    [whole] = result_of(service, url, **fields)["polygons"]
    options = {"tolerance": 2.0, "min_area": 50, "max_parts": 1}
    [simple] = result_of(service, url, **fields, polygons=options, webhook=hook)["polygons"]
    assert len(simple) == 1
    assert 3 <= len(simple[0]["exterior"]) < max(len(part["exterior"]) for part in whole) / 2
    [received] = trusted_host.wait_for("/hooks/plain")
    assert json.loads(received.body)["data"]["polygons"] == options

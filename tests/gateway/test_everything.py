"""Everything mode, candidates and mask prompts over HTTP."""

from __future__ import annotations

import base64
import io
import json
import time
import uuid
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from pycocotools import mask as coco

from tests.support import pictures
from tests.support.service import Service
from tests.support.waiting import PATIENCE_SECONDS

PHOTO = base64.b64encode(pictures.photo()).decode()
HEAD = {"box": [140, 10, 305, 180]}
CLICK = {"points": [[220, 90]]}
# No filter, so that the result does not depend on the network's scores.
ALL = {"points_per_side": 4, "pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}
NONE = {"points_per_side": 2, "pred_iou_thresh": 1, "stability_score_thresh": 1}
LONG = {"points_per_side": 100, "points_per_batch": 1}  # minutes


def run(service: Service, prompts: object, **fields: Any) -> dict[str, Any]:
    job = service.wait(service.submit(image=PHOTO, prompts=prompts, **fields)["id"])
    assert job["status"] == "succeeded", job["error"]
    return job


@pytest.fixture(scope="module")
def everything(service: Service) -> dict[str, Any]:
    """A job of everything mode that has every output."""
    photo, fields = {"image": ("photo.jpg", pictures.photo())}, {"prompts": {"everything": ALL}}
    outputs = ["rle", "png", "polygons", "overlay"]
    answer = service.post("/v1/jobs", files=photo, data={"request": json.dumps({**fields, "outputs": outputs})})
    assert answer.status_code == 202, answer.text
    assert answer.json()["prompts"] == fields["prompts"]
    return service.wait(answer.json()["id"])


def test_everything_has_any_number_of_masks_each_with_its_point_and_its_files(everything: dict[str, Any]) -> None:
    assert everything["status"] == "succeeded", everything["error"]
    assert everything["progress"] is None
    result, files = everything["result"], everything["files"]
    count = len(result["maskInfos"])
    assert 16 <= count <= 48  # each of 16 clicks has three masks; those without pixels are left out
    assert len(result["masks"]) == len(result["polygons"]) == len(files["masks"]) == count
    for info in result["maskInfos"]:
        assert set(info) == {"label", "prompt", "score", "box", "area", "prompt_index", "stability_score"}
        assert (info["label"], info["prompt_index"]) == ("everything_prompt", 0)
        assert {coordinate % 128 for coordinate in info["prompt"]} == {64}  # the grid of a photo of 512 x 512 pixels
        assert 0 <= info["stability_score"] <= 1
    last = np.asarray(Image.open(io.BytesIO(requests.get(files["masks"][-1]["url"], timeout=30).content)))
    assert np.count_nonzero(last) == result["maskInfos"][-1]["area"]
    assert "masks_dropped" not in result


def test_a_retry_a_list_and_a_second_put_have_the_same_request(service: Service, everything: dict[str, Any]) -> None:
    again = service.wait(service.post(f"/v1/jobs/{everything['id']}/retry").json()["id"])
    assert (again["prompts"], again["result"]) == (everything["prompts"], everything["result"])
    listed = service.get("/v1/jobs").json()["jobs"]
    assert next(job for job in listed if job["id"] == again["id"])["prompts"] == everything["prompts"]
    url, body = f"{service.url}/v1/jobs/mine-{uuid.uuid4().hex}", {"image": PHOTO, "prompts": "everything"}
    spelled = {"image": PHOTO, "promptType": "everything", "device": "auto"}
    bodies = [body | {"device": "gpu"}, spelled | {"device": "gpu"}, spelled]  # no worker has a GPU
    assert [requests.put(url, json=each, timeout=60).status_code for each in bodies] == [202, 200, 409]


def test_an_image_in_which_nothing_is_found_succeeds_without_masks(service: Service) -> None:
    job = run(service, {"everything": NONE}, outputs=["rle", "png", "polygons", "overlay"])
    made_by = job["result"]["made_by"]
    assert job["result"] == {"maskInfos": [], "masks": [], "polygons": [], "made_by": made_by}
    assert job["files"]["masks"] == []


def test_paddlexs_route_takes_everything_and_answers_as_ever(service: Service, everything: dict[str, Any]) -> None:
    body = {"image": PHOTO, "promptType": "everything", "prompt": ALL, "visualize": False}
    answer = service.post("/open-vocabulary-segmentation", json=body)
    assert answer.status_code == 200, answer.text
    result, ours = answer.json()["result"], everything["result"]
    assert set(result) == {"masks", "maskInfos"}
    assert result["masks"] == ours["masks"]
    assert result["maskInfos"] == [{name: info[name] for name in ("label", "prompt")} for info in ours["maskInfos"]]
    wrong = service.post("/open-vocabulary-segmentation", json=body | {"prompt": {"points_per_side": 0}})
    assert (wrong.status_code, "prompt.points_per_side" in wrong.json()["errorMsg"]) == (422, True)


def test_a_running_job_shows_its_progress_lets_others_pass_and_stops_when_it_is_canceled(service: Service) -> None:
    job_id = service.submit(image=PHOTO, prompts={"everything": LONG}, outputs=["rle"])["id"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    seen: list[dict[str, int]] = []
    while len(seen) < 3:
        assert time.monotonic() < deadline, service.log()
        progress = service.get(f"/v1/jobs/{job_id}").json()["progress"]
        if progress is not None and progress not in seen:
            seen.append(progress)
    assert {progress["total"] for progress in seen} == {10_000}
    assert [progress["done"] for progress in seen] == sorted(progress["done"] for progress in seen)
    assert run(service, [HEAD], outputs=["rle"])["completed_at"] is not None
    assert service.get(f"/v1/jobs/{job_id}").json()["status"] == "running"
    assert service.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    canceled = service.wait(job_id)
    assert (canceled["status"], canceled["progress"], canceled["files"]) == ("canceled", None, {})


def test_all_masks_of_an_ambiguous_prompt_follow_each_other_best_first(service: Service) -> None:
    every = run(service, [CLICK, HEAD], multimask="all")
    best = run(service, [CLICK, HEAD], multimask="best")
    assert (every["multimask"], best["multimask"]) == ("all", "best")
    infos = every["result"]["maskInfos"]
    assert [info["prompt_index"] for info in infos] == [0, 0, 0, 1]
    scores = [info["score"] for info in infos[:3]]
    assert scores == sorted(scores, reverse=True)
    assert [every["result"]["masks"][i] for i in (0, 3)] == best["result"]["masks"]
    assert run(service, [CLICK, HEAD])["result"] == best["result"]


def test_a_mask_of_an_earlier_job_or_in_rle_is_refined_and_kept_with_the_request(service: Service) -> None:
    first = run(service, [HEAD, CLICK])
    rle = first["result"]["masks"][1]
    given = {"rle": {"size": rle["size"], "counts": rle["rleResult"]}}
    off = {"points": [[200, 60], [150, 20]], "labels": [1, 0]}
    by_job = run(service, [{**off, "mask": {"job": first["id"], "index": 1}}])
    assert by_job["prompts"] == [{**off, "points": [[200.0, 60.0], [150.0, 20.0]], "mask": given}]
    by_rle = run(service, [{**off, "mask": given}])
    assert by_job["result"] == by_rle["result"]
    assert by_rle["result"]["maskInfos"][0]["label"] == "mask_prompt"
    assert service.delete(f"/v1/jobs/{first['id']}").status_code == 204
    assert service.wait(service.post(f"/v1/jobs/{by_job['id']}/retry").json()["id"])["result"] == by_rle["result"]


def test_a_name_is_carried_on_from_one_refinement_to_the_next(service: Service) -> None:
    job = run(service, [{**HEAD, "name": "head"}])
    for _ in range(2):
        job = run(service, [{**CLICK, "mask": {"job": job["id"], "index": 0}}])
        assert job["result"]["maskInfos"][0]["name"] == "head"


def test_a_mask_that_an_earlier_job_does_not_have_is_refused_by_name(service: Service) -> None:
    done, no_rle = run(service, [HEAD])["id"], run(service, [HEAD], outputs=["png"])["id"]
    waiting = service.submit(image=PHOTO, prompts=[HEAD], device="gpu")["id"]
    small = pictures.encoded(Image.new("RGB", (40, 30)), "PNG")
    cases: list[tuple[dict[str, Any], str, str, str]] = [
        ({"job": "no-such-job", "index": 0}, "mask_not_found", "prompts[1].mask.job", "no job 'no-such-job'"),
        ({"job": waiting, "index": 0}, "mask_not_found", "prompts[1].mask.job", "is queued"),
        ({"job": no_rle, "index": 0}, "mask_not_found", "prompts[1].mask.job", "lacks rle"),
        ({"job": done, "index": 1}, "mask_not_found", "prompts[1].mask.index", "has 1 masks"),
    ]
    for mask, code, field, message in cases:
        answer = service.post("/v1/jobs", json={"image": PHOTO, "prompts": [HEAD, {"mask": mask}]})
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["code"], error["field"]) == (code, field)
        assert message in error["message"]
    body = {"image": base64.b64encode(small).decode(), "prompts": [{"mask": {"job": done, "index": 0}}]}
    [error] = service.post("/v1/jobs", json=body).json()["errors"]
    assert (error["code"], error["field"]) == ("mask_size_mismatch", "prompts[0].mask")


def test_masks_of_everything_can_be_refined(service: Service, everything: dict[str, Any]) -> None:
    job = run(service, [{"mask": {"job": everything["id"], "index": 2}, **CLICK}])
    mask = job["result"]["masks"][0]
    assert coco.decode({"size": mask["size"], "counts": mask["rleResult"].encode()}).any()

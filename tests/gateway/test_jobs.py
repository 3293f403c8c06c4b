"""A job over HTTP, as a client sees it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from pycocotools import mask as coco

from ovseg_core import models
from tests.support import pictures
from tests.support.fakes import Host
from tests.support.service import Service

HEAD, SHUTTLE, HELMET = (
    {"box": [140, 10, 305, 180]},
    {"box": [340, 4, 462, 300]},
    {"points": [[390, 430]], "labels": [1]},
)


def submit_file(service: Service, **fields: Any) -> requests.Response:
    return service.post(
        "/v1/jobs", files={"image": ("photo.jpg", pictures.photo())}, data={"request": json.dumps(fields)}
    )


def decoded(mask: dict[str, Any]) -> np.ndarray:
    pixels: np.ndarray = coco.decode({"size": mask["size"], "counts": mask["rleResult"].encode()})
    return pixels.astype(bool)


@pytest.fixture(scope="module")
def job(service: Service) -> dict[str, Any]:
    """A job that has every output and has succeeded."""
    answer = submit_file(
        service,
        prompts=[HEAD, SHUTTLE, HELMET],
        outputs=["rle", "png", "polygons", "overlay"],
        metadata={"photo": 17, "nested": [None, "é"]},
    )
    return service.wait(answer.json()["id"])


def test_a_submission_is_answered_with_the_whole_job_object_while_the_job_is_queued(service: Service) -> None:
    answer = submit_file(service, prompts=[HEAD], device="cpu", metadata={"a": 1})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job["status"] == "queued"
    assert job["model"] == "SAM-Lite"
    assert job["device"] == "cpu"
    assert job["prompts"] == [HEAD]
    assert job["outputs"] == ["rle", "overlay"]
    assert job["metadata"] == {"a": 1}
    assert datetime.fromisoformat(job["accepted_at"]).tzinfo is not None
    done = service.wait(job["id"])
    assert set(done) == set(job)  # the same fields before and after


def test_a_job_that_succeeded_reports_its_attempt_its_image_and_its_timings(job: dict[str, Any]) -> None:
    assert job["status"] == "succeeded"
    assert job["error"] is None
    assert job["attempt"] == 1
    assert job["metadata"] == {"photo": 17, "nested": [None, "é"]}
    assert job["image"] | {"key": None} == {"url": None, "key": None, "width": 512, "height": 512, "format": "JPEG"}
    assert set(job["timings_ms"]) == {"fetch", "decode_image", "encode", "decode", "publish"}
    times = [datetime.fromisoformat(job[name]) for name in ("accepted_at", "started_at", "completed_at")]
    assert times == sorted(times)


def test_a_second_job_for_an_image_does_not_encode_or_read_it_and_gets_the_same_masks(
    service: Service, job: dict[str, Any]
) -> None:
    other = service.wait(submit_file(service, prompts=[SHUTTLE, HELMET]).json()["id"])
    assert other["timings_ms"]["encode"] == 0
    assert other["result"]["masks"] == job["result"]["masks"][1:]
    plain = service.wait(submit_file(service, prompts=[HEAD], outputs=["rle"]).json()["id"])
    assert set(plain["timings_ms"]) == {"encode", "decode", "publish"}
    assert plain["image"] | {"key": None} == job["image"] | {"key": None}


def test_the_result_has_a_mask_for_each_prompt_in_coco_rle(job: dict[str, Any]) -> None:
    result = job["result"]
    assert [info["label"] for info in result["maskInfos"]] == ["box_prompt", "box_prompt", "point_prompt"]
    for mask, info in zip(result["masks"], result["maskInfos"], strict=True):
        pixels = decoded(mask)
        assert mask["size"] == [512, 512]
        assert pixels.sum() == info["area"] > 1000
        y, x = np.nonzero(pixels)
        assert info["box"] == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert 0 < info["score"] <= 1
    head = decoded(result["masks"][0])
    assert head[90, 225]  # between the eyes
    assert not head[300, 400]


def test_the_result_names_the_weights_and_the_version_that_made_it(job: dict[str, Any]) -> None:
    weights = models.find("SAM-Lite").weights.read_bytes()
    assert job["result"]["made_by"] == {
        "model": "SAM-Lite",
        "sha256": hashlib.sha256(weights).hexdigest(),
        "ovseg": version("ovseg"),
    }


def test_the_files_match_the_result_and_their_urls_work(job: dict[str, Any]) -> None:
    files = job["files"]
    assert set(files) == {"result", "overlay", "masks"}
    for i, file in enumerate(files["masks"]):
        assert file["key"] == f"jobs/{job['id']}/1/masks/{i:04d}.png"
        png = Image.open(io.BytesIO(requests.get(file["url"], timeout=60).content))
        assert np.array_equal(np.asarray(png) == 255, decoded(job["result"]["masks"][i]))
    answer = requests.get(files["overlay"]["url"], timeout=60)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (512, 512)
    document = requests.get(files["result"]["url"], timeout=60).json()
    assert document == {"logId": job["id"], "result": job["result"], "errorCode": 0, "errorMsg": "Success"}


def test_polygons_outline_the_masks(job: dict[str, Any]) -> None:
    assert len(job["result"]["polygons"]) == 3
    for parts, info in zip(job["result"]["polygons"], job["result"]["maskInfos"], strict=True):
        xs = [x for part in parts for x, _ in part["exterior"]]
        assert (min(xs), max(xs) + 1) == (info["box"][0], info["box"][2])


def test_a_signed_url_that_was_tampered_with_is_refused(job: dict[str, Any]) -> None:
    url = job["files"]["overlay"]["url"].replace("overlay.jpg", "result.json")
    assert requests.get(url, timeout=60).status_code == 403
    assert requests.get(url.partition("?")[0], timeout=60).status_code == 403


@pytest.mark.parametrize(
    ("outputs", "files", "result"),
    [
        (["rle"], {"result"}, {"maskInfos", "masks"}),
        (["overlay"], {"result", "overlay"}, {"maskInfos"}),
        (["png", "png"], {"result", "masks"}, {"maskInfos"}),
        (["polygons"], {"result"}, {"maskInfos", "polygons"}),
    ],
)
def test_only_the_requested_outputs_are_made(
    service: Service, outputs: list[str], files: set[str], result: set[str]
) -> None:
    job = service.wait(submit_file(service, prompts=[HEAD], outputs=outputs).json()["id"])
    assert set(job["files"]) == files
    assert set(job["result"]) == {*result, "made_by"}


def test_an_image_may_come_by_url(service: Service, trusted_host: Host) -> None:
    url = trusted_host.serve("/photo.jpg", pictures.photo())
    job = service.wait(service.submit(image=url, prompts=[HEAD])["id"])
    assert job["status"] == "succeeded"
    assert job["image"]["url"] == url


def test_an_image_may_come_as_base64_with_prompts_in_paddlexs_form(service: Service, job: dict[str, Any]) -> None:
    image = base64.b64encode(pictures.photo()).decode()
    same = service.wait(service.submit(image=image, prompt=[HEAD["box"], SHUTTLE["box"]], promptType="box")["id"])
    assert same["prompts"] == [HEAD, SHUTTLE]
    assert same["result"]["masks"] == job["result"]["masks"][:2]


def test_coordinates_refer_to_the_image_with_its_exif_orientation_applied(service: Service) -> None:
    upright = Image.open(io.BytesIO(pictures.photo())).crop((0, 0, 512, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored rotated; a viewer rotates it back
    stored = pictures.encoded(upright.rotate(90, expand=True), "PNG", exif=exif)
    prompts = {"prompts": [HEAD]}
    jobs = [
        service.post("/v1/jobs", files={"image": data}, data={"request": json.dumps(prompts)}).json()
        for data in (pictures.encoded(upright, "PNG"), stored)
    ]
    plain, rotated = [service.wait(job["id"]) for job in jobs]
    assert (rotated["image"]["width"], rotated["image"]["height"]) == (512, 300)
    assert rotated["result"] == plain["result"]


def test_a_get_is_held_until_the_job_has_ended(service: Service) -> None:
    job_id = submit_file(service, prompts=[HEAD]).json()["id"]
    job = service.get(f"/v1/jobs/{job_id}", params={"wait": 60}).json()
    assert job["status"] == "succeeded"
    assert datetime.now(UTC) - datetime.fromisoformat(job["completed_at"]) < timedelta(seconds=20)
    assert service.get(f"/v1/jobs/{job_id}?wait=30").json()["status"] == "succeeded"  # immediately


def test_a_get_is_held_no_longer_than_the_client_asked(service: Service) -> None:
    job_id = submit_file(service, prompts=[HEAD], device="gpu").json()["id"]  # no worker has this device
    start = time.monotonic()
    answer = service.get(f"/v1/jobs/{job_id}", headers={"Prefer": "respond-async, wait=1"})
    assert 0.9 < time.monotonic() - start < 30  # the longest wait is a minute
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.json()["status"] == "queued"


def test_jobs_are_listed_newest_first_in_pages_by_status(service: Service) -> None:
    ids = [submit_file(service, prompts=[HEAD], device="gpu").json()["id"] for _ in range(3)]
    first = service.get("/v1/jobs", params={"status": "queued", "limit": 2}).json()
    assert [job["id"] for job in first["jobs"]] == [ids[2], ids[1]]
    second = service.get("/v1/jobs", params={"status": "queued", "limit": 1, "cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in second["jobs"]] == [ids[0]]
    succeeded = service.get("/v1/jobs?status=succeeded&limit=100").json()
    assert {job["status"] for job in succeeded["jobs"]} <= {"succeeded"}


def test_a_webhook_reports_the_end_of_a_job(service: Service, trusted_host: Host) -> None:
    hook = trusted_host.serve("/hooks/done")
    job_id = submit_file(service, prompts=[HEAD], webhook={"url": hook}).json()["id"]
    [received] = trusted_host.wait_for("/hooks/done")
    event = json.loads(received.body)
    job = service.wait(job_id)
    assert event["type"] == "job.succeeded"
    assert received.headers["webhook-id"] == f"evt_{job_id}_succeeded"

    def without_signatures(described: dict[str, Any]) -> dict[str, Any]:
        return {**described, "files": {name: file["key"] for name, file in described["files"].items()}}

    assert without_signatures(event["data"]) == without_signatures(job)


def test_a_model_that_is_not_installed_fails_the_job_and_is_not_replaced(service: Service) -> None:
    answer = submit_file(service, prompts=[HEAD], model="SAM-H")
    assert answer.status_code == 202
    done = service.wait(answer.json()["id"])
    assert done["status"] == "failed"
    assert done["error"]["code"] == "model_not_installed"
    assert "`ovseg models pull SAM-H`" in done["error"]["message"]


def test_one_job_may_have_hundreds_of_prompts(service: Service) -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 400, (200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 100, (200, 2))], axis=1)
    prompts = [{"box": box} for box in boxes.round(2).tolist()]
    job_id = submit_file(service, prompts=prompts, outputs=["rle"]).json()["id"]
    job = service.wait(job_id)
    assert job["status"] == "succeeded"
    assert [info["prompt"] for info in job["result"]["maskInfos"]] == boxes.round(2).tolist()

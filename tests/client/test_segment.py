"""The client against the real service: an image and prompts in, masks out, and typed errors."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from pycocotools import mask as coco

from ovseg_client import (
    AsyncClient,
    Client,
    Conflict,
    InvalidRequest,
    JobFailed,
    NotFound,
    OvsegError,
    Timeout,
)
from tests.support import pictures
from tests.support.fakes import Host, reply
from tests.support.service import Service

HEAD = [140, 10, 305, 180]
NO_WORKER: dict[str, Any] = {"boxes": [HEAD], "device": "gpu"}  # its job stays queued


def photo_of_pillow(folder: Path, host: Host) -> Image.Image:
    image = Image.open(io.BytesIO(pictures.photo()))
    image.getexif()[0x0112] = 6  # the pixels stay as they are, in spite of this orientation
    return image


def photo_by_path(folder: Path, host: Host) -> Path:
    path = folder / "photo.jpg"
    path.write_bytes(pictures.photo())
    return path


IMAGES: list[Callable[[Path, Host], Any]] = [
    photo_by_path,
    lambda folder, host: str(photo_by_path(folder, host)),
    lambda folder, host: io.BytesIO(pictures.photo()),
    lambda folder, host: memoryview(pictures.photo()),
    lambda folder, host: host.serve("/client.jpg", pictures.photo()),
    lambda folder, host: {"url": host.serve("/client.jpg", pictures.photo())},
    photo_of_pillow,
    lambda folder, host: np.asarray(Image.open(io.BytesIO(pictures.photo()))),
]


@pytest.mark.parametrize("image", IMAGES)
def test_every_kind_of_image_gives_the_same_mask(
    client: Client, tmp_path: Path, trusted_host: Host, image: Callable[[Path, Host], Any]
) -> None:
    expected = client.segment(pictures.photo(), boxes=[HEAD], outputs=["rle"])
    result = client.segment(image(tmp_path, trusted_host), boxes=[HEAD], outputs=["rle"])
    assert (result.width, result.height, len(result)) == (512, 512, 1)
    assert result.masks[0].rle == expected.masks[0].rle


def test_masks_are_arrays_boxes_scores_rle_and_polygons(client: Client) -> None:
    points, labels = [[[390, 430]], [[220, 90], [10, 10]]], [[1], [1, 0]]
    outputs = ["rle", "polygons"]
    result = client.segment(pictures.photo(), boxes=np.array([HEAD]), points=points, labels=labels, outputs=outputs)
    assert [mask.label for mask in result] == ["box_prompt", "point_prompt", "points_prompt"]
    for index, mask in enumerate(result):
        assert mask.prompt_index == index
        assert mask.array.shape == (512, 512)
        assert mask.array.sum() == mask.area
        assert mask.rle is not None
        assert np.array_equal(mask.array, coco.decode({**mask.rle, "counts": mask.rle["counts"].encode()}))
        assert mask.polygons
        assert 0 < mask.score <= 1
        columns = np.flatnonzero(mask.array.any(0))
        assert [mask.box[0], mask.box[2]] == [columns[0], columns[-1] + 1]


def test_a_mask_without_the_output_rle_is_no_array(client: Client) -> None:
    mask = client.segment(pictures.photo(), boxes=HEAD, outputs=["overlay"]).masks[0]
    assert (mask.rle, mask.polygons) == (None, None)
    with pytest.raises(OvsegError, match="rle"):
        _ = mask.array


def test_everything_mode_takes_options_or_true(client: Client) -> None:
    result = client.segment(pictures.photo(), everything={"points_per_side": 4}, outputs=["rle"])
    assert {mask.label for mask in result} == {"everything_prompt"}
    assert client.submit(pictures.photo(), everything=True, device="gpu").raw["prompts"] == {"everything": {}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "one of boxes"),
        ({"everything": True, "boxes": [HEAD]}, "everything mode takes no prompts"),
        ({"points": [[1, 2]], "labels": [1, 0]}, "labels must have the form"),
        ({"points": [[[1, 2]], [[3, 4]]], "labels": [1, 1]}, "labels must have the form"),
    ],
)
def test_prompts_that_contradict_each_other_are_refused_before_they_are_sent(
    client: Client, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        client.submit(pictures.photo(), **arguments)


def test_a_job_is_submitted_read_waited_for_and_deleted(client: Client) -> None:
    job = client.submit(pictures.photo(), boxes=[HEAD], metadata={"site": "north"})
    assert (job.status, job.raw["metadata"]) == ("queued", {"site": "north"})
    result = job.wait(300)
    assert (job.status, result.job_id, len(result.masks)) == ("succeeded", job.id, 1)
    assert client.job(job.id).wait().raw["completed_at"] == result.raw["completed_at"]
    job.delete()
    with pytest.raises(NotFound):
        job.refresh()


def test_files_of_a_job_are_returned_and_a_preview_is_waited_for(client: Client) -> None:
    result = client.segment(pictures.photo(), boxes=[HEAD], outputs=["png", "overlay"])
    assert client.file(result.job_id, "image") == pictures.photo()
    for name, kind in (("overlay.jpg", "JPEG"), ("masks/0000.png", "PNG"), ("preview", "JPEG")):
        picture = Image.open(io.BytesIO(client.file(result, name)))
        assert (picture.format, picture.size) == (kind, (512, 512))
    with pytest.raises(NotFound):
        client.file(client.job(result.job_id), "none")


def test_a_job_that_has_not_ended_in_time_continues_and_can_be_canceled(client: Client) -> None:
    with pytest.raises(Timeout) as caught:
        client.segment("https://example.com/a.jpg", **NO_WORKER, timeout=0.2)
    job = caught.value.job
    assert job.status == "queued"
    client.job(job.id).cancel()
    with pytest.raises(JobFailed) as canceled:
        client.job(job.id).wait()
    assert (canceled.value.status, canceled.value.code) == ("canceled", None)


def test_a_job_that_failed_raises_its_code_and_field(client: Client) -> None:
    with pytest.raises(JobFailed, match="image_unreadable") as caught:
        client.segment(pictures.photo()[:3000], boxes=[HEAD])
    assert (caught.value.status, caught.value.code) == ("failed", "image_unreadable")


def test_a_refused_request_names_its_fields(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="invalid_prompt") as caught:
        client.submit(pictures.photo(), boxes=[HEAD, [5, 5, 1, 1]])
    error = caught.value
    assert (error.status, error.code, error.field) == (422, "invalid_prompt", "prompts[1].box")
    assert error.request_id
    with pytest.raises(InvalidRequest, match="unknown_field"):
        client.submit(pictures.photo(), boxes=[HEAD], modle="SAM-B")


def test_other_refusals_have_their_own_classes(client: Client) -> None:
    for name in ("none", "../keys", "a?b=c"):
        with pytest.raises(NotFound):
            client.job(name)
    done = client.submit(pictures.photo(), boxes=[HEAD])
    done.wait()
    with pytest.raises(Conflict, match="job_already_final"):
        done.cancel()


def test_a_lost_answer_makes_no_second_job(service: Service, host: Host) -> None:
    """The first answer is lost after the service has accepted the job."""
    mark = uuid.uuid4().hex
    accepted: list[Any] = []

    def forward(request: BaseHTTPRequestHandler) -> None:
        sent = host.received[-1]
        headers = {name: sent.headers[name] for name in ("content-type", "idempotency-key")}
        answer = requests.post(f"{service.url}{sent.path}", sent.body, headers=headers, timeout=60)
        accepted.append(answer.json()["id"])
        if len(accepted) == 1:
            request.connection.close()
        else:
            reply(request, answer.status_code, answer.content, {"Content-Type": "application/json"})

    host.answers["/v1/jobs"] = forward
    with Client(f"http://{host.address}") as client:
        job = client.submit(pictures.photo(), boxes=[HEAD], metadata={"mark": mark})
    assert accepted == [job.id, job.id]
    assert len(service.get("/v1/jobs", params={"metadata.mark": mark}).json()["jobs"]) == 1


def test_the_async_client_does_the_same(service: Service, client: Client) -> None:
    async def segment() -> None:
        async with AsyncClient(service.url) as ours:
            results = await asyncio.gather(*(ours.segment(pictures.photo(), boxes=[HEAD]) for _ in range(3)))
            assert {result.masks[0].rle["counts"] for result in results if result.masks[0].rle} == {expected}
            job = await ours.submit("https://example.com/a.jpg", **NO_WORKER)
            with pytest.raises(Timeout):
                await job.wait(0.1)
            await job.cancel()
            with pytest.raises(JobFailed):
                await job.wait()
            with pytest.raises(NotFound):
                await ours.job("none")

    rle = client.segment(pictures.photo(), boxes=[HEAD]).masks[0].rle
    assert rle is not None
    expected = rle["counts"]
    asyncio.run(segment())


def test_the_address_and_the_key_come_from_the_environment(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_URL", f"{service.url}/")
    monkeypatch.setenv("OVSEG_API_KEY", "a\nb")
    with pytest.raises(OvsegError, match="API key"):
        Client()
    monkeypatch.setenv("OVSEG_API_KEY", "")
    with Client() as client, pytest.raises(NotFound):
        client.job("none")
    with pytest.raises(OvsegError, match="no address"):
        Client("localhost:8080")
    with pytest.raises(OvsegError, match="give an API key") as caught:
        Client("http://user:secret@localhost:8080")
    assert "secret" not in str(caught.value)

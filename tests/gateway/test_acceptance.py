"""When Redis has no space for images, a job's image goes to storage first. No image without a job stays there."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from gateway.services import GatewayServices
from tests.support import pictures

PHOTO, NOISE = pictures.photo(), pictures.noise(50, 50)


class Gateway:
    """A gateway in this process whose Redis has no space for images."""

    def __init__(self, settings: Settings) -> None:
        app = create_app(settings)
        self.services: GatewayServices = app.extensions["ovseg"]
        self.client: FlaskClient = app.test_client()
        while self.services.inputs.reserve():
            pass

    def send(self, method: str, path: str, image: bytes, headers: dict[str, str]) -> Any:
        data = {"request": json.dumps({"prompts": [{"box": [1, 1, 9, 9]}]}), "image": (io.BytesIO(image), "image")}
        return self.client.open(path, method=method, data=data, headers=headers)

    def stored(self, names: str) -> list[str]:
        return list(self.services.storage.list(names))


@pytest.fixture
def gateway(s3_settings: Settings) -> Gateway:
    return Gateway(s3_settings)


def test_a_repeated_post_leaves_one_image(gateway: Gateway) -> None:
    before = gateway.stored("jobs/")
    headers = {"Idempotency-Key": "k"}
    answers = [gateway.send("POST", "/v1/jobs", image, headers) for image in (PHOTO, PHOTO, NOISE)]
    assert [answer.status_code for answer in answers] == [202, 202, 422]
    [key] = set(gateway.stored("jobs/")) - set(before)
    assert key == answers[0].json["image"]["key"]
    assert gateway.services.storage.get(key) == PHOTO


def test_a_put_under_an_id_that_is_taken_does_not_change_the_first_image(gateway: Gateway) -> None:
    path = f"/v1/jobs/{gateway.services.settings.redis_prefix.strip(':')}"  # an id that no other test has
    answers = [gateway.send("PUT", path, image, {}) for image in (PHOTO, PHOTO, NOISE)]
    assert [answer.status_code for answer in answers] == [202, 200, 409]
    [key] = gateway.stored(path.removeprefix("/v1/") + "/")
    assert gateway.services.storage.get(key) == PHOTO


def test_a_job_whose_image_is_gone_cannot_be_retried(gateway: Gateway) -> None:
    job = gateway.send("POST", "/v1/jobs", PHOTO, {}).json
    gateway.client.post(f"/v1/jobs/{job['id']}/cancel")
    assert gateway.client.post(f"/v1/jobs/{job['id']}/retry").status_code == 202
    gateway.services.storage.delete_prefix(job["image"]["key"])
    answer = gateway.client.post(f"/v1/jobs/{job['id']}/retry")
    assert (answer.status_code, answer.get_json()["code"]) == (410, "input_gone")

"""A model's name may contain a plus sign, which some parts of HTTP read as a space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from urllib3 import encode_multipart_formdata

from configs.settings import Settings
from gateway import create_app
from tests.support import pictures
from worker.job.jobs import Jobs

NAME = "SAM2.1-B+"
BOX = {"box": [1, 1, 9, 9]}


@pytest.fixture
def client(s3_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    (tmp_path / "models.yaml").write_text(f"{NAME}: {{network: sam_lite, file: sam2.1_b+.pt}}\n")
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "models.yaml"))
    return create_app(s3_settings).test_client()


@pytest.mark.parametrize("as_form", [False, True])
def test_a_job_keeps_the_plus_sign_of_its_model(client: FlaskClient, jobs: Jobs, as_form: bool) -> None:
    fields: dict[str, Any] = {"prompts": [BOX], "model": NAME}
    if as_form:
        parts = {"image": ("image", pictures.photo()), "request": json.dumps(fields)}
        body, content_type = encode_multipart_formdata(parts)  # type: ignore[arg-type]  # its type lacks such tuples
        answer = client.post("/v1/jobs", data=body, content_type=content_type)
    else:
        answer = client.post("/v1/jobs", json={**fields, "image": "https://example.com/a.jpg"})
    assert answer.status_code == 202, answer.text
    job = client.get(answer.headers["Location"]).get_json()
    assert job["model"] == NAME
    stored = jobs.get(job["id"])
    assert stored is not None
    assert stored.request.model == NAME


def test_errors_name_such_a_model(client: FlaskClient) -> None:
    refused = client.post(
        "/v1/jobs", json={"image": "https://example.com/a.jpg", "prompts": [BOX], "model": "SAM2.1-B "}
    )
    assert refused.status_code == 422
    assert NAME in refused.get_json()["detail"]

"""The list of models: what the registry knows about each, and what the live workers report about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from ovseg_core import models
from ovseg_core.lite.shape import CANVAS
from worker.process.model_report import ModelReport
from worker.process.roster import Roster
from worker.store.keyspace import Keyspace

CPU = {"worker": "host:1", "device": "cpu", "is_loaded": False, "engine": None, "precision": None}


@pytest.fixture
def client(s3_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A gateway on a machine without weights, except those in the package."""
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    return create_app(s3_settings).test_client()


def enter(keyspace: Keyspace, settings: Settings, name: str, device: str, report: ModelReport) -> Roster:
    roster = Roster(keyspace, settings, name, device, lambda: report)
    roster.enter()
    return roster


def shown(client: FlaskClient, name: str) -> dict[str, Any]:
    """Return the object of a model, which is the same in the list."""
    answer = client.get(f"/v1/models/{name}")
    assert answer.status_code == 200, answer.text
    model: dict[str, Any] = answer.get_json()
    listed = {each["id"]: each for each in client.get("/v1/models").get_json()["data"]}
    assert listed[name] == model
    return model


def test_the_list_has_every_model_and_detector_of_the_registry_in_openais_envelope(client: FlaskClient) -> None:
    answer = client.get("/v1/models").get_json()
    assert answer.keys() == {"object", "data"}
    assert answer["object"] == "list"
    assert [model["id"] for model in answer["data"]] == [*models.all_models(), *models.all_detectors()]
    for model in answer["data"]:
        assert (model["object"], model["created"], model["owned_by"]) == ("model", 0, "ovseg")


def test_a_model_is_shown_with_the_facts_of_the_registry(client: FlaskClient) -> None:
    assert shown(client, "MobileSAM") == {
        "id": "MobileSAM",
        "object": "model",
        "created": 0,
        "owned_by": "ovseg",
        "is_default": False,
        "prompts": ["box", "everything", "mask", "mixed", "point", "points"],
        "licence": "Apache-2.0",
        "bytes": 40_728_226,
        "input_size": 1024,
        "engines": ["openvino", "onnxruntime", "paddle"],
        "installed": None,
        "workers": [],
    }
    default = shown(client, "SAM-Lite")
    assert default["is_default"]
    assert default["input_size"] == CANVAS
    assert default["bytes"] == models.find("SAM-Lite").weights.stat().st_size
    assert shown(client, "EfficientViT-SAM-L0")["input_size"] == 512
    assert shown(client, "SAM2.1-B+")["bytes"] is None  # its size is not published


def test_a_detector_is_a_model_that_takes_text(client: FlaskClient) -> None:
    assert shown(client, "GroundingDINO-T") == {
        "id": "GroundingDINO-T",
        "object": "model",
        "created": 0,
        "owned_by": "ovseg",
        "is_default": True,
        "prompts": ["text"],
        "licence": "Apache-2.0",
        "bytes": None,
        "input_size": None,
        "engines": ["openvino", "onnxruntime", "paddle"],
        "installed": None,
        "workers": [],
    }
    assert not shown(client, "LLMDet-T")["is_default"]
    assert shown(client, "GroundingDINO-T_infer")["engines"] == ["paddle"]  # PaddleX's folder


@pytest.mark.parametrize(
    ("other", "name"),
    [("facebook/sam-vit-base", "SAM-B"), ("IDEA-Research/grounding-dino-tiny", "GroundingDINO-T")],
)
def test_a_model_is_also_found_by_its_name_in_another_library(client: FlaskClient, other: str, name: str) -> None:
    assert client.get(f"/v1/models/{other}").get_json() == shown(client, name)


def test_without_a_live_worker_it_is_unknown_what_is_installed(client: FlaskClient) -> None:
    found = client.get("/v1/models").get_json()["data"]
    assert {model["installed"] for model in found} == {None}


def test_live_workers_report_what_they_have_installed_and_loaded(
    client: FlaskClient, keyspace: Keyspace, s3_settings: Settings
) -> None:
    small, both = {"SAM-Lite": 9}, {"SAM-Lite": 9, "SAM2.1-B+": 300}
    enter(keyspace, s3_settings, "host:2", "gpu:0", ModelReport(both, {"SAM-Lite": ("paddle", "float16")}))
    first = enter(keyspace, s3_settings, "host:1", "cpu", ModelReport(small, {}))

    gpu = {"worker": "host:2", "device": "gpu", "is_loaded": True, "engine": "paddle", "precision": "float16"}
    default = shown(client, "SAM-Lite")
    assert (default["installed"], default["workers"]) == (True, [CPU, gpu])
    large = shown(client, "SAM2.1-B+")
    not_loaded = {**gpu, "is_loaded": False, "engine": None, "precision": None}
    assert (large["installed"], large["workers"], large["bytes"]) == (True, [not_loaded], 300)
    assert (shown(client, "SAM-B")["installed"], shown(client, "SAM-B")["workers"]) == (False, [])

    first.leave()
    assert shown(client, "SAM-Lite")["workers"] == [gpu]


def test_the_report_of_a_dead_worker_is_neither_shown_nor_kept(
    client: FlaskClient, keyspace: Keyspace, s3_settings: Settings
) -> None:
    enter(keyspace, s3_settings, "host:1", "cpu", ModelReport({"SAM-Lite": 9}, {}))
    keyspace.redis.zadd(keyspace.key("workers"), {"cpu/host:1": keyspace.now() / 1_000_000 - 1})  # its lease has ended
    assert shown(client, "SAM-Lite")["installed"] is None
    enter(keyspace, s3_settings, "host:2", "cpu", ModelReport({}, {}))
    assert keyspace.redis.hkeys(keyspace.key("worker_models")) == ["cpu/host:2"]


def test_a_worker_of_a_version_without_reports_does_not_count_as_one_without_models(
    client: FlaskClient, keyspace: Keyspace
) -> None:
    keyspace.redis.zadd(keyspace.key("workers"), {"cpu/host:1": keyspace.now() / 1_000_000 + 60})
    assert shown(client, "SAM-Lite")["installed"] is None


@pytest.mark.parametrize("name", ["none", "SAM-Lite/", "SAM%20Lite", "x" * 5000])
def test_an_unknown_model_is_404(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/v1/models/{name}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
    assert len(answer.data) < 1000

"""The answers to probes."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from worker.process.roster import Roster
from worker.store.keyspace import Keyspace


def test_a_service_without_workers_is_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "checks": {"redis": "ok", "storage": "ok", "gateway": "ok"},
        "workers": {},
        "submissions": "ok",
    }


def test_a_probe_may_require_a_number_of_workers(client: FlaskClient, s3_settings: Settings) -> None:
    answer = client.get("/readyz?workers=1")
    assert (answer.status_code, answer.get_json()["checks"]["workers"]) == (503, "no live worker")
    with Keyspace.open(s3_settings) as keyspace:
        Roster(keyspace, s3_settings, "a", "cpu").enter()
        Roster(keyspace, s3_settings, "b", "gpu:1").enter()
    assert client.get("/readyz").get_json()["workers"] == {"cpu": 1, "gpu": 1}
    for wanted, status in ((0, 200), (1, 200), (2, 200), (3, 503)):
        answer = client.get(f"/readyz?workers={wanted}")
        assert answer.status_code == status
    assert answer.get_json()["checks"]["workers"] == "2 of 3 live workers"


@pytest.mark.parametrize("change", [{"redis_url": "redis://127.0.0.1:1/0"}, {"s3_endpoint_url": "http://127.0.0.1:1"}])
def test_without_redis_or_storage_it_is_not_ready(s3_settings: Settings, change: dict[str, str]) -> None:
    answer = create_app(s3_settings.model_copy(update=change)).test_client().get("/readyz")
    checks = answer.get_json()["checks"]
    assert answer.status_code == 503
    assert [checks["redis"], checks["storage"]].count("ok") == 1


def test_a_gateway_that_is_stopping_is_not_ready(client: FlaskClient) -> None:
    client.application.extensions["ovseg"].leaving.set()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["checks"]["gateway"]) == (503, "stopping")

"""A Redis that can read but not write: writes are answered with the reason, and reads still work."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from configs.settings import Settings
from gateway import create_app
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.support import own_valkey
from tests.support.waiting import wait_until
from worker.store.connection import connect

JOB = {"image": "https://example.com/a.jpg", "prompts": [{"box": [1, 2, 3, 4]}], "device": "gpu"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "valkey"


@pytest.fixture
def client(folder: Path, s3: Seaweedfs) -> Iterator[FlaskClient]:
    with own_valkey.running(folder, megabytes=64) as url:
        settings = Settings(redis_url=url, s3_endpoint_url=s3.endpoint_url, s3_bucket=BUCKET, requests_per_minute=100)
        with create_app(settings).test_client() as client:
            yield client
        shutil.rmtree(folder / "dump.rdb", ignore_errors=True)  # Valkey does not exit while its snapshot fails


def disk_fails(redis: Redis, folder: Path) -> None:
    """Make writes fail with MISCONF, as after a snapshot that found the disk full."""
    (folder / "dump.rdb" / "in the way").mkdir(parents=True)
    redis.config_set("save", "3600 1")
    redis.bgsave()
    wait_until(lambda: redis.info("persistence")["rdb_last_bgsave_status"] != "ok")


def no_replica_is_connected(redis: Redis, folder: Path) -> None:
    redis.config_set("min-replicas-to-write", 1)


def redis_is_a_replica(redis: Redis, folder: Path) -> None:
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")


@pytest.mark.parametrize("fail", [disk_fails, no_replica_is_connected, redis_is_a_replica])
def test_a_redis_that_cannot_write_is_not_reported_as_unreachable(client: FlaskClient, folder: Path, fail: Any) -> None:
    job_id = client.post("/v1/jobs", json=JOB).get_json()["id"]
    with connect(client.application.extensions["ovseg"].settings) as redis:
        fail(redis, folder)
    for answer in (client.post("/v1/jobs", json=JOB), client.delete(f"/v1/jobs/{job_id}")):
        assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.get_json()["detail"] == "the job store takes no writes; try again soon"
    assert client.get(f"/v1/jobs/{job_id}").status_code == 200
    assert [job["id"] for job in client.get("/v1/jobs").get_json()["jobs"]] == [job_id]

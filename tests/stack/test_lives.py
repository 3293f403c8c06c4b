"""A stack is killed, stopped with Ctrl-C, loses its Valkey and is stopped by SIGTERM: three lives of one data folder.

Each life is a fixture that records what was seen, because the next one begins on the folder that it left.
"""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from configs.settings import Settings
from ovseg.embedded.seaweedfs import BUCKET
from tests.support import own_valkey, pictures, stacks
from tests.support.fakes import Host
from tests.support.service import Service
from tests.support.waiting import wait_until
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.store import queue
from worker.store.keyspace import Keyspace


@dataclass
class Life:
    """What was seen of one life of a stack."""

    url: str
    started_with: str  # the log when it was ready
    pids: dict[str, int]
    done: dict[str, Any]  # a job that finished in the first life
    waiting: dict[str, Any]  # a job for a GPU, which the stack does not have
    listed: list[str]
    statuses: list[int]  # of the overlay's URL, as signed now and as signed in the first life
    lines: list[str]
    exit_code: int | None = None


def look(stack: Service, done: dict[str, Any], waiting: dict[str, Any]) -> Life:
    found = stack.get(f"/v1/jobs/{done['id']}").json()
    return Life(
        url=stack.url,
        started_with=stack.log(),
        pids=stacks.processes_of(stack),
        done=found,
        waiting=stack.get(f"/v1/jobs/{waiting['id']}").json(),
        listed=[job["id"] for job in stack.get("/v1/jobs").json()["jobs"]],
        statuses=[requests.get(job["files"]["overlay"]["url"], timeout=60).status_code for job in (found, done)],
        lines=stack.lines,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack") / ("a" * 100)  # longer than the path of a socket may be


@pytest.fixture(scope="module")
def killed(folder: Path) -> Life:
    """The first life, which ends when the stack's own process is killed."""
    with stacks.running(folder) as stack:
        done = stack.wait(stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)["id"])
        waiting = stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS, device="gpu")
        life = look(stack, done, waiting)
        stack.kill()
    wait_until(lambda: not any(stacks.is_alive(pid) for pid in life.pids.values()))
    return life


@pytest.fixture(scope="module")
def interrupted(folder: Path, killed: Life) -> Life:
    """The second life, which ends with Ctrl-C."""
    with stacks.running(folder) as stack:
        life = look(stack, killed.done, killed.waiting)
        wait_until(lambda: len(archived(folder)) >= 2)
        life.exit_code = stack.stop()
    return life


@pytest.fixture(scope="module")
def restored(folder: Path, interrupted: Life, trusted_host: Host) -> tuple[Life, Job | None]:
    """The third life, without the Valkey of the second: SIGTERM ends it while a job runs. Also returns that job."""
    shutil.rmtree(folder / "valkey")
    release = trusted_host.serve_later("/last.jpg", pictures.photo())
    patient = {"OVSEG_FETCH_TIMEOUT_SECONDS": "120", "OVSEG_SHUTDOWN_GRACE_SECONDS": "120"}  # for a slow machine
    with stacks.running(folder, OVSEG_ALLOWED_PRIVATE_HOSTS=trusted_host.address, **patient) as stack:
        life = look(stack, interrupted.done, interrupted.waiting)
        held = stack.submit(image=trusted_host.url("/last.jpg"), prompts=stacks.PROMPTS)["id"]
        trusted_host.wait_for("/last.jpg")
        stack.process.send_signal(signal.SIGTERM)
        wait_until(lambda: any("stopping" in line for line in stack.lines))
        release.set()
        life.exit_code = stack.process.wait(180)
        stack.stop_reading()
    with own_valkey.running(folder / "valkey") as url:
        settings = Settings(redis_url=url)
        with Keyspace.open(settings) as keyspace:
            return life, Jobs(keyspace, queue.create(settings), settings).get(held)


def archived(data_dir: Path) -> list[str]:
    """Return the keys of the documents in the archive of a running stack."""
    weed = json.loads((data_dir / "seaweedfs" / "keys.json").read_text())
    port = json.loads((data_dir / "seaweedfs" / "ports.json").read_text())["s3"]
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=weed["access"],
        aws_secret_access_key=weed["secret"],
        region_name="us-east-1",
    )
    keys = [found["Key"] for found in client.list_objects_v2(Bucket=BUCKET, Prefix="archive/").get("Contents", [])]
    ended = {key.rpartition("/")[2] for key in keys if "/ended/" in key}
    return [key for key in keys if "/ended/" in key or key.rpartition("/")[2] not in ended]


def test_the_children_of_a_killed_stack_are_killed_and_its_data_survives(killed: Life, interrupted: Life) -> None:
    assert interrupted.done["result"] == killed.done["result"]
    assert interrupted.listed == [killed.waiting["id"], killed.done["id"]]
    # the URL signed before the kill still works: the ports and the keys are the same
    assert interrupted.statuses == [200, 200]


def test_a_stack_shows_how_to_use_it_and_stops_on_ctrl_c(interrupted: Life) -> None:
    assert interrupted.exit_code == 0
    assert set(interrupted.pids) == {"valkey-server", "weed", "gateway", "worker", "webhooks", "reaper"}
    log = "\n".join(interrupted.lines)
    assert f"ovseg is ready at {interrupted.url}" in log
    assert f"curl -s {interrupted.url}/v1/jobs" in log
    assert "Stop with Ctrl-C" in log
    labels = {line.partition("|")[0].strip() for line in interrupted.lines if "|" in line}
    assert labels >= {"worker", "gateway", "ovseg"}
    assert not any(stacks.is_alive(pid) for pid in interrupted.pids.values())


def test_a_stack_whose_valkey_is_lost_restores_its_jobs_from_object_storage(
    interrupted: Life, restored: tuple[Life, Job | None]
) -> None:
    life, _ = restored
    assert "1 jobs are queued again, 1 finished jobs are restored" in life.started_with
    assert life.done["result"] == interrupted.done["result"]
    assert life.listed == [interrupted.waiting["id"], interrupted.done["id"]]
    assert life.waiting["status"] == "queued"


def test_a_running_job_is_finished_before_the_stack_stops(restored: tuple[Life, Job | None]) -> None:
    life, job = restored
    assert life.exit_code == 0
    assert job is not None
    assert (job.status, job.attempt) == ("succeeded", 1)

"""`ovseg up` for an operator: started twice, killed, restarted, with other servers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import requests

from configs.settings import Settings
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.chaos import fault_proxy
from tests.chaos.fault_proxy import Fault
from tests.conftest import WEBHOOK_SECRET
from tests.support import fakes, own_valkey, pictures
from tests.support.service import Service
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace

PHOTO = base64.b64encode(pictures.photo()).decode()
PROMPTS = [{"box": [140, 10, 305, 180]}]
LEASE_SECONDS = 4


@contextmanager
def service(data_dir: Path, **environment: str) -> Iterator[Service]:
    running = Service(data_dir, environment)
    try:
        yield running.wait_until_ready()
    finally:
        if running.process.poll() is None:
            running.stop()


def processes_of(service: Service) -> dict[str, int]:
    """Return the process ids by the command's name, of everything that the stack started."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_text().split("\0")
            name = (folder / "comm").read_text().strip()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == service.process.pid:
            found[words[4] if words[1:4] == ["-P", "-m", "ovseg"] else name] = int(folder.name)
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Any, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_stack_shows_how_to_use_it_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        pids = processes_of(running)
        assert set(pids) == {"valkey-server", "weed", "gateway", "worker", "webhooks", "reaper"}
        assert running.stop() == 0
    log = "\n".join(running.lines)
    assert f"ovseg is ready at {running.url}" in log
    assert f"curl -s {running.url}/v1/jobs" in log
    assert "Stop with Ctrl-C" in log
    assert {line.partition("|")[0].strip() for line in running.lines if "|" in line} >= {"worker", "gateway", "ovseg"}
    assert not any(is_alive(pid) for pid in pids.values())


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = Service(tmp_path, port=taken.getsockname()[1])
        assert refused.process.wait(180) == 1
        refused.stop_reading()
    assert "is in use; choose another with --port" in refused.log()


def test_the_children_of_a_killed_stack_are_killed_and_its_data_survives(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 100)  # longer than the path of a socket may be
    with service(folder) as running:
        done = running.wait(running.submit(image=PHOTO, prompts=PROMPTS)["id"])
        waiting = running.submit(image=PHOTO, prompts=PROMPTS, device="gpu")
        pids = processes_of(running)
        running.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in pids.values()), 60)

    with service(folder) as again:
        found = again.get(f"/v1/jobs/{done['id']}").json()
        assert found["result"] == done["result"]
        assert requests.get(found["files"]["overlay"]["url"], timeout=10).status_code == 200
        assert [job["id"] for job in again.get("/v1/jobs").json()["jobs"]] == [waiting["id"], done["id"]]
        # the URL signed before the kill still works: the ports and the keys are the same
        assert requests.get(done["files"]["overlay"]["url"], timeout=10).status_code == 200


def test_a_stack_whose_valkey_is_lost_restores_its_jobs_from_object_storage(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        done = running.wait(running.submit(image=PHOTO, prompts=PROMPTS)["id"])
        waiting = running.submit(image=PHOTO, prompts=PROMPTS, device="gpu")
        wait_until(lambda: len(archived(tmp_path)) >= 2)
    shutil.rmtree(tmp_path / "valkey")
    with service(tmp_path) as again:
        assert "1 jobs are queued again, 1 finished jobs are restored" in again.log()
        assert again.get(f"/v1/jobs/{done['id']}").json()["result"] == done["result"]
        assert [job["id"] for job in again.get("/v1/jobs").json()["jobs"]] == [waiting["id"], done["id"]]
        assert again.get(f"/v1/jobs/{waiting['id']}").json()["status"] == "queued"


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


def test_killing_a_worker_during_a_job_costs_one_attempt_and_nothing_else(tmp_path: Path) -> None:
    with fakes.host() as host:
        settings = {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": host.address,
            "OVSEG_LEASE_SECONDS": str(LEASE_SECONDS),
            "OVSEG_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }
        with service(tmp_path, **settings) as running:
            host.answers["/photo.jpg"] = lambda request: time.sleep(600)  # hold the first worker inside the job
            hook = host.serve("/hook")
            job_id = running.submit(image=host.url("/photo.jpg"), prompts=PROMPTS, webhook={"url": hook})["id"]
            host.wait_for("/photo.jpg")
            held = running.get(f"/v1/jobs/{job_id}").json()
            assert (held["status"], held["attempt"]) == ("running", 1)

            killed = processes_of(running)["worker"]
            assert held["worker"].endswith(f":{killed}")
            host.serve("/photo.jpg", pictures.photo())
            os.kill(killed, signal.SIGKILL)

            job = running.wait(job_id)
            assert (job["status"], job["attempt"]) == ("succeeded", 2)
            assert not job["worker"].endswith(f":{killed}")
            assert any("worker was killed by SIGKILL; restarting it" in line for line in running.lines)
            host.wait_for("/hook")
            time.sleep(LEASE_SECONDS * 2)  # a second delivery would have arrived by now
            delivered = [json.loads(r.body) for r in host.wait_for("/hook")]
            assert [(t["type"], t["data"]["attempt"]) for t in delivered] == [("job.succeeded", 2)]


def test_a_worker_that_hangs_past_a_deadline_exits_and_its_other_job_is_retried(tmp_path: Path, s3: Seaweedfs) -> None:
    port = int(s3.endpoint_url.rpartition(":")[2])
    with (
        fakes.host() as host,
        fault_proxy.proxy(lambda: asyncio.open_connection("127.0.0.1", port)) as storage,
    ):
        host.answers["/other.jpg"] = lambda request: time.sleep(600)
        settings = {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": host.address,
            "OVSEG_FETCH_TIMEOUT_SECONDS": "600",
            "OVSEG_LEASE_SECONDS": str(LEASE_SECONDS),
            "OVSEG_S3_BUCKET": BUCKET,
            "OVSEG_S3_ENDPOINT_URL": f"http://127.0.0.1:{storage.port}",
            "OVSEG_WATCHDOG_GRACE_SECONDS": "3",
        }
        with service(tmp_path, **settings) as running:
            other = running.submit(image=host.url("/other.jpg"), prompts=PROMPTS)["id"]
            host.wait_for("/other.jpg")
            storage.inflict(Fault.HOLE)  # storage answers nothing, for longer than the deadline
            hangs = running.submit(image=PHOTO, prompts=PROMPTS, deadline={"run_within_s": 3})["id"]
            job = running.wait(hangs)
            assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", "timeout", 1)
            host.serve("/other.jpg", pictures.photo())

            wait_until(lambda: any("worker exited with code 75; restarting it" in line for line in running.lines))
            storage.inflict(Fault.NONE)
            job = running.wait(other)
            assert (job["status"], job["attempt"]) == ("succeeded", 2)
            assert running.get(f"/v1/jobs/{hangs}").json()["attempt"] == 1


def test_a_running_job_is_finished_before_the_stack_stops(tmp_path: Path) -> None:
    with fakes.host() as host:
        release = host.serve_later("/photo.jpg", pictures.photo())
        with service(tmp_path, OVSEG_ALLOWED_PRIVATE_HOSTS=host.address) as running:
            held = running.submit(image=host.url("/photo.jpg"), prompts=PROMPTS)["id"]
            host.wait_for("/photo.jpg")
            running.process.send_signal(signal.SIGTERM)
            wait_until(lambda: any("stopping" in line for line in running.lines))
            release.set()
            assert running.process.wait(60) == 0
            running.stop_reading()
    with own_valkey.running(tmp_path / "valkey") as url:
        settings = Settings(redis_url=url)
        with Keyspace.open(settings) as keyspace:
            job = Jobs(keyspace, queue.create(settings), settings).get(held)
    assert job is not None
    assert (job.status, job.attempt) == ("succeeded", 1)


def test_any_other_process_that_exits_is_restarted_and_no_job_is_lost(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        for name in ("gateway", "webhooks", "reaper", "weed", "valkey-server"):
            os.kill(processes_of(running)[name], signal.SIGKILL)
            wait_until(lambda name=name: name in processes_of(running))
            wait_until(running.is_ready)
            job = running.wait(running.submit(image=PHOTO, prompts=PROMPTS)["id"])
            assert job["status"] == "succeeded", name
        assert len(running.get("/v1/jobs?status=succeeded").json()["jobs"]) == 5


def test_servers_named_by_settings_are_used_instead(tmp_path: Path, redis_url: str, s3: Seaweedfs) -> None:
    settings = {
        "OVSEG_REDIS_URL": redis_url,
        "OVSEG_REDIS_PREFIX": "own:",
        "OVSEG_S3_ENDPOINT_URL": s3.endpoint_url,
        "OVSEG_S3_BUCKET": BUCKET,
    }
    with service(tmp_path, **settings) as running:
        assert set(processes_of(running)) == {"gateway", "worker", "webhooks", "reaper"}
        job = running.wait(running.submit(image=PHOTO, prompts=PROMPTS)["id"])
        assert job["status"] == "succeeded"
        assert job["files"]["overlay"]["url"].startswith(s3.endpoint_url)


def test_a_gpu_worker_without_a_gpu_reports_what_to_install(redis_url: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ovseg", "worker", "--device", "gpu:0"],
        env={**os.environ, "OVSEG_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "there is no gpu:0" in ran.stderr
    assert "gpu needs paddlepaddle-gpu, see docs/deployment.md" in ran.stderr


def test_a_wrong_setting_stops_every_command_with_its_name(tmp_path: Path) -> None:
    for command in (["up", "--data-dir", str(tmp_path)], ["gateway"], ["worker"], ["reaper"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ovseg", *command],
            env={**os.environ, "OVSEG_MAX_PROMPTS": "many"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 1
        assert "OVSEG_MAX_PROMPTS: Input should be a valid integer" in ran.stderr


def test_the_demo_writes_its_pictures_and_leaves_nothing_running(tmp_path: Path) -> None:
    output = tmp_path / "output"
    ran = subprocess.run(
        [sys.executable, "-m", "ovseg", "demo", "--output", str(output)], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {file.name for file in output.iterdir()} == {
        "overlay.jpg",
        "result.json",
        "mask_0.png",
        "mask_1.png",
        "mask_2.png",
    }
    result = json.loads((output / "result.json").read_text())
    assert (result["errorCode"], len(result["result"]["masks"])) == (0, 3)
    assert '"status": "succeeded"' in ran.stdout

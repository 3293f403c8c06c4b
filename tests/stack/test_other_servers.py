"""A stack that uses the Valkey and the object storage that its settings name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.chaos import fault_proxy
from tests.chaos.fault_proxy import Fault, FaultProxy
from tests.support import pictures, stacks
from tests.support.fakes import Host
from tests.support.service import Service
from tests.support.waiting import wait_until

LEASE_SECONDS = 4


@pytest.fixture(scope="module")
def storage(s3: Seaweedfs) -> Iterator[FaultProxy]:
    """The object storage, which can stop answering."""
    port = int(s3.endpoint_url.rpartition(":")[2])
    with fault_proxy.proxy(lambda: asyncio.open_connection("127.0.0.1", port)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stack(
    redis_url: str, storage: FaultProxy, trusted_host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    settings = {
        "OVSEG_ALLOWED_PRIVATE_HOSTS": trusted_host.address,
        "OVSEG_FETCH_TIMEOUT_SECONDS": "600",
        "OVSEG_LEASE_SECONDS": str(LEASE_SECONDS),
        "OVSEG_REDIS_PREFIX": "own:",
        "OVSEG_REDIS_URL": redis_url,
        "OVSEG_S3_BUCKET": BUCKET,
        "OVSEG_S3_ENDPOINT_URL": address(storage),
        "OVSEG_WATCHDOG_GRACE_SECONDS": "3",
    }
    with stacks.running(tmp_path_factory.mktemp("stack"), **settings) as running:
        yield running


def address(storage: FaultProxy) -> str:
    return f"http://127.0.0.1:{storage.port}"


def test_servers_named_by_settings_are_used_instead(stack: Service, storage: FaultProxy) -> None:
    assert set(stacks.processes_of(stack)) == {"gateway", "worker", "webhooks", "reaper"}
    job = stack.wait(stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)["id"])
    assert job["status"] == "succeeded"
    assert job["files"]["overlay"]["url"].startswith(address(storage))


def test_a_worker_that_hangs_past_a_deadline_exits_and_its_other_job_is_retried(
    stack: Service, storage: FaultProxy, trusted_host: Host
) -> None:
    trusted_host.answers["/other.jpg"] = lambda request: time.sleep(600)
    other = stack.submit(image=trusted_host.url("/other.jpg"), prompts=stacks.PROMPTS)["id"]
    trusted_host.wait_for("/other.jpg")
    storage.inflict(Fault.HOLE)  # storage answers nothing, for longer than the deadline
    hangs = stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS, deadline={"run_within_s": 3})["id"]
    job = stack.wait(hangs)
    assert (job["status"], job["error"]["code"], job["attempt"]) == ("failed", "timeout", 1)
    trusted_host.serve("/other.jpg", pictures.photo())

    wait_until(lambda: any("worker exited with code 75; restarting it" in line for line in stack.lines))
    storage.inflict(Fault.NONE)
    job = stack.wait(other)
    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert stack.get(f"/v1/jobs/{hangs}").json()["attempt"] == 1

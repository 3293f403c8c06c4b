"""A process of a stack that is killed is restarted."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest

from tests.conftest import WEBHOOK_SECRET
from tests.support import pictures, stacks
from tests.support.fakes import Host
from tests.support.service import Service
from tests.support.waiting import wait_until

LEASE_SECONDS = 4


@pytest.fixture(scope="module")
def stack(trusted_host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = {
        "OVSEG_ALLOWED_PRIVATE_HOSTS": trusted_host.address,
        "OVSEG_LEASE_SECONDS": str(LEASE_SECONDS),
        "OVSEG_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    with stacks.running(tmp_path_factory.mktemp("stack"), **settings) as running:
        yield running


def is_restarted(stack: Service, name: str, killed: int) -> bool:
    return stacks.processes_of(stack).get(name, killed) != killed


def test_killing_a_worker_during_a_job_costs_one_attempt_and_nothing_else(stack: Service, trusted_host: Host) -> None:
    trusted_host.serve_later("/held.jpg", b"")  # hold the first worker inside the job
    image, hook = trusted_host.url("/held.jpg"), trusted_host.serve("/hook-of-held")
    job_id = stack.submit(image=image, prompts=stacks.PROMPTS, webhook={"url": hook})["id"]
    trusted_host.wait_for("/held.jpg")
    held = stack.get(f"/v1/jobs/{job_id}").json()
    assert (held["status"], held["attempt"]) == ("running", 1)

    killed = stacks.processes_of(stack)["worker"]
    assert held["worker"].endswith(f":{killed}")
    trusted_host.serve("/held.jpg", pictures.photo())
    os.kill(killed, signal.SIGKILL)

    job = stack.wait(job_id)
    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert not job["worker"].endswith(f":{killed}")
    assert any("worker was killed by SIGKILL; restarting it" in line for line in stack.lines)
    trusted_host.wait_for("/hook-of-held")
    deliveries = f"/v1/jobs/{job_id}/webhook-deliveries"
    wait_until(lambda: stack.get(deliveries).json()["events"][0]["state"] == "delivered")
    [event] = stack.get(deliveries).json()["events"]
    assert (event["type"], event["tries"]) == ("job.succeeded", 1)
    delivered = [json.loads(r.body) for r in trusted_host.wait_for("/hook-of-held")]
    assert [(t["type"], t["data"]["attempt"]) for t in delivered] == [("job.succeeded", 2)]


def test_any_other_process_that_exits_is_restarted_and_no_job_is_lost(stack: Service) -> None:
    done = set()
    for name in ("gateway", "webhooks", "reaper", "weed", "valkey-server"):
        killed = stacks.processes_of(stack)[name]
        os.kill(killed, signal.SIGKILL)
        wait_until(partial(is_restarted, stack, name, killed))
        wait_until(stack.is_ready)
        job = stack.wait(stack.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)["id"])
        assert job["status"] == "succeeded", name
        done.add(job["id"])
    assert {job["id"] for job in stack.get("/v1/jobs?status=succeeded").json()["jobs"]} >= done

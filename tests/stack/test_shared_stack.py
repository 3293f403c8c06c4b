"""What can be seen of a stack from outside, without a change to it."""

from __future__ import annotations

from typing import Any

import requests

from tests.support import listening, stacks
from tests.support.service import Service
from tests.support.waiting import wait_until


def test_nothing_listens_beyond_this_machine(service: Service) -> None:
    found = listening.sockets(listening.family(service.process.pid)).tcp
    assert len(found) >= 11  # two for each of SeaweedFS's five parts, one for the gateway
    assert {address for address, _ in found} == {"127.0.0.1"}


def test_a_second_stack_on_the_same_folder_is_refused_and_the_first_continues(service: Service) -> None:
    second = Service(service.data_dir)
    assert second.process.wait(180) == 1
    second.stop_reading()
    assert f"another `ovseg up` (process {service.process.pid}) runs on {service.data_dir}" in second.log()
    wait_until(service.is_ready)


def test_the_worker_reports_the_default_model_as_installed_and_loaded(service: Service) -> None:
    def shown() -> Any:
        return requests.get(f"{service.url}/v1/models/SAM-Lite", timeout=60).json()

    wait_until(lambda: all(worker["is_loaded"] for worker in shown()["workers"]))  # as of a heartbeat
    default = shown()
    assert (default["is_default"], default["installed"]) == (True, True)
    [worker] = default["workers"]
    assert (worker["device"], worker["is_loaded"]) == ("cpu", True)
    assert worker["engine"] in default["engines"]
    large = requests.get(f"{service.url}/v1/models/SAM-H", timeout=60).json()
    assert (large["installed"], large["workers"]) == (False, [])


def test_the_fleet_has_the_worker_and_what_it_did(service: Service) -> None:
    job = service.submit(image=stacks.PHOTO, prompts=stacks.PROMPTS)
    assert service.wait(job["id"])["status"] == "succeeded"
    wait_until(lambda: any(minute["run_ms"] for minute in service.get("/v1/fleet").json()["history"]))
    found = service.get("/v1/fleet").json()
    [worker] = [each for each in found["workers"] if each["status"] != "lost"]
    assert (worker["status"], worker["device"], worker["slots"]) == ("ready", "cpu", 4)
    assert "SAM-Lite" in [model["model"] for model in worker["models"]]
    assert sum(minute["ended"]["succeeded"] for minute in found["history"]) >= 1

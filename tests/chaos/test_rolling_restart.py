"""Every process is stopped and restarted, one after the other, while clients send jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from configs import webhook_secret
from tests.chaos import stack
from tests.chaos.order import Order
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.support import fakes, pictures

PAIRS = Scale(name="pairs", jobs=0, seconds=0, gateways=2, workers=2, reapers=1)
DRAIN_SECONDS = 4
LONG_LEASE = {"OVSEG_LEASE_SECONDS": "600"}  # too long for a test to wait for its end


class Balancer:
    """A load balancer that checks twice a second which gateways are ready, and a client that never retries."""

    def __init__(self, urls: list[str]) -> None:
        self.accepted: list[str] = []
        self.failures: list[str] = []
        self._urls = urls
        self._ready = list(urls)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._look), *(threading.Thread(target=self._send) for _ in range(2))]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        while not self._stopping.wait(0.5):
            self._ready = [url for url in self._urls if stack.is_ready(url)]

    def _send(self) -> None:
        n = 0
        while not self._stopping.wait(0.25):
            n += 1
            url = self._ready[n % len(self._ready)]
            body = Order(n).body("") | {"webhook": None}
            try:
                answer = requests.post(f"{url}/v1/jobs", json=body, timeout=60)
                assert answer.status_code == 202, answer.text
                job_id = answer.json()["id"]
                self.accepted.append(job_id)
                looked = requests.get(f"{url}/v1/jobs/{job_id}?wait=2", timeout=60)
                assert looked.status_code == 200, looked.text
            except (requests.RequestException, AssertionError) as error:
                self.failures.append(f"{url}: {error}")


@contextmanager
def pairs(folder: Path, **environment: str) -> Iterator[Stack]:
    with stack.running(PAIRS, folder, {"OVSEG_WEBHOOK_SECRET": webhook_secret.new(), **environment}) as members:
        yield members


@pytest.mark.timeout(900)
def test_a_rolling_restart_fails_no_request_and_loses_no_job(tmp_path: Path) -> None:
    with pairs(tmp_path, OVSEG_GATEWAY_DRAIN_SECONDS=str(DRAIN_SECONDS), **LONG_LEASE) as members:
        balancer = Balancer(members.urls)
        try:
            for name in ("gateway-1", "worker-1", "gateway-2", "worker-2", "webhooks-1", "reaper-1"):
                member = members.members[name]
                member.terminate()
                assert member.wait(120) == 0, name
                member.start()
                members.wait_until(lambda: all(stack.is_ready(url) for url in members.urls), name)
                members.pause(1)
        finally:
            balancer.stop()
        assert balancer.failures == []
        assert len(balancer.accepted) > 20
        for job_id in balancer.accepted:
            job = requests.get(f"{members.url}/v1/jobs/{job_id}?wait=60", timeout=90).json()
            assert (job["status"], job["attempt"]) == ("succeeded", 1)


@pytest.mark.timeout(900)
def test_another_worker_immediately_takes_what_a_stopping_worker_cannot_finish(tmp_path: Path) -> None:
    with fakes.host() as host:
        release = host.serve_later("/held.jpg", pictures.photo())
        settings = {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": host.address,
            "OVSEG_FETCH_TIMEOUT_SECONDS": "600",
            "OVSEG_SHUTDOWN_GRACE_SECONDS": "2",
            "OVSEG_MAX_ATTEMPTS": "1",
        }
        with pairs(tmp_path, **settings, **LONG_LEASE) as members:
            body = {"image": host.url("/held.jpg"), "prompts": [{"box": [1, 1, 90, 90]}], "outputs": ["rle"]}
            job_id = requests.post(f"{members.url}/v1/jobs", json=body, timeout=60).json()["id"]
            host.wait_for("/held.jpg")
            holder = requests.get(f"{members.url}/v1/jobs/{job_id}", timeout=60).json()["worker"]
            [first] = [member for member in members.of_role("worker") if holder.endswith(f":{member.pid}")]

            first.terminate()
            stopped_at = time.monotonic()
            host.serve("/held.jpg", pictures.photo())
            assert first.wait(120) == 0
            job = requests.get(f"{members.url}/v1/jobs/{job_id}?wait=60", timeout=90).json()
            release.set()
            assert (job["status"], job["attempt"]) == ("succeeded", 2)
            assert job["worker"] != holder
            assert time.monotonic() - stopped_at < 120

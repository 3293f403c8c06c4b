"""The gateway while Valkey or SeaweedFS is unreachable: it reports this soon, and recovers by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
import requests

from configs import webhook_secret
from tests.chaos import stack
from tests.chaos.order import Order
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack
from tests.support import fakes, pictures
from worker.store.connection import CALL_TIMEOUT_SECONDS

# Three seconds are promised; the rest is for a busy machine. Without the promise, some answers would take 30 seconds.
SOON_SECONDS = 3 + 12


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    scale = Scale(name="one of each", jobs=0, seconds=0, workers=1, reapers=1)
    environment = {
        "OVSEG_KEPT_RESULTS_MEGABYTES": "0",  # otherwise a new result can be read without storage
        "OVSEG_LEASE_SECONDS": "60",
        "OVSEG_MAX_ATTEMPTS": "1",  # an outage must not cost an attempt
        "OVSEG_WEBHOOK_SECRET": webhook_secret.new(),
    }
    with stack.running(scale, tmp_path_factory.mktemp("stack"), environment) as members:
        yield members


@pytest.fixture(scope="module")
def done(members: Stack) -> str:
    """The id of a job that has ended."""
    return str(finished(members, 1)["id"])


def body(n: int) -> dict[str, object]:
    return Order(n).body("") | {"webhook": None}


def finished(members: Stack, n: int) -> dict[str, object]:
    submitted = requests.post(f"{members.url}/v1/jobs", json=body(n), timeout=60)
    assert submitted.status_code == 202, submitted.text
    job: dict[str, object] = {"status": "queued"}
    deadline = time.monotonic() + 180
    while job["status"] in ("queued", "running"):
        assert time.monotonic() < deadline
        answer = requests.get(f"{members.url}/v1/jobs/{submitted.json()['id']}?wait=30", timeout=90)
        job = answer.json() if answer.status_code == 200 else job
    assert job["status"] == "succeeded"
    return job


def take_down(members: Stack, name: str, how: str) -> None:
    if how == "frozen":
        members.members[name].freeze()
    else:
        members.members[name].kill(down_seconds=float("inf"))


def bring_back(members: Stack, name: str, how: str) -> None:
    if how == "frozen":
        members.members[name].thaw()
    else:
        members.members[name].start()
    members.wait_until(lambda: stack.is_ready(members.url), "the service")


def answer_of(members: Stack, method: str, path: str, json: object = None) -> requests.Response:
    start = time.monotonic()
    answer = requests.request(method, members.url + path, json=json, timeout=60)
    seconds = time.monotonic() - start
    assert seconds < SOON_SECONDS, (method, path, seconds)
    return answer


def assert_unavailable(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_without_valkey_every_answer_is_a_503_and_comes_soon(members: Stack, done: str, how: str) -> None:
    take_down(members, "valkey", how)
    try:
        box = [1, 1, 50, 50]
        for method, path, json in (
            ("POST", "/v1/jobs", body(2)),
            ("PUT", f"/v1/jobs/mine-{how}", body(2)),
            ("GET", f"/v1/jobs/{done}", None),
            ("GET", f"/v1/jobs/{done}?wait=30", None),
            ("GET", "/v1/jobs", None),
            ("POST", f"/v1/jobs/{done}/cancel", None),
            ("POST", f"/v1/jobs/{done}/retry", None),
            ("DELETE", f"/v1/jobs/{done}", None),
            ("GET", f"/v1/jobs/{done}/webhook-deliveries", None),
            ("POST", "/open-vocabulary-segmentation", {**body(2), "prompt": [box], "promptType": "box"}),
        ):
            assert_unavailable(answer_of(members, method, path, json))
        seconds = []
        for _ in range(20):
            start = time.monotonic()
            assert_unavailable(answer_of(members, "GET", f"/v1/jobs/{done}"))
            seconds.append(time.monotonic() - start)
        assert median(seconds) < CALL_TIMEOUT_SECONDS  # only few requests find out whether Valkey answers
        assert answer_of(members, "GET", "/healthz").status_code == 200
        not_ready = answer_of(members, "GET", "/readyz")
        assert (not_ready.status_code, not_ready.json()["checks"]["storage"]) == (503, "ok")
        assert not_ready.json()["checks"]["redis"] != "ok"
    finally:
        bring_back(members, "valkey", how)
    assert requests.get(f"{members.url}/v1/jobs/{done}", timeout=60).status_code == 200
    finished(members, 3)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_without_storage_results_are_unavailable_and_accepted_jobs_are_kept(
    members: Stack, done: str, how: str
) -> None:
    take_down(members, "seaweedfs", how)
    accepted = []
    try:
        assert_unavailable(answer_of(members, "GET", f"/v1/jobs/{done}"))
        assert answer_of(members, "GET", "/v1/jobs").status_code == 200
        assert answer_of(members, "GET", "/readyz").status_code == 503
        for n in range(10, 20):
            answer = answer_of(members, "POST", "/v1/jobs", body(n))
            if answer.status_code == 202:
                accepted.append((n, answer.json()["id"]))
            else:
                assert_unavailable(answer)
    finally:
        bring_back(members, "seaweedfs", how)
    deadline = time.monotonic() + 180
    for n, job_id in accepted:
        job = {"status": "queued"}
        while job["status"] in ("queued", "running"):
            assert time.monotonic() < deadline
            job = requests.get(f"{members.url}/v1/jobs/{job_id}?wait=30", timeout=90).json()
        assert Order(n).is_answered_by(job["result"]), job
    finished(members, 4)


@pytest.mark.timeout(900)
def test_a_job_that_finishes_while_valkey_is_unreachable_does_not_run_twice(tmp_path: Path) -> None:
    scale = Scale(name="one of each", jobs=0, seconds=0, workers=1, reapers=1)
    with fakes.host() as host:
        release = host.serve_later("/held.jpg", pictures.photo())
        environment = {
            "OVSEG_ALLOWED_PRIVATE_HOSTS": host.address,
            "OVSEG_FETCH_TIMEOUT_SECONDS": "600",
            "OVSEG_LEASE_SECONDS": "300",
            "OVSEG_WEBHOOK_SECRET": webhook_secret.new(),
        }
        with stack.running(scale, tmp_path, environment) as members:
            fields = {"image": host.url("/held.jpg"), "prompts": [{"box": [1, 1, 90, 90]}], "outputs": ["rle"]}
            job_id = requests.post(f"{members.url}/v1/jobs", json=fields, timeout=60).json()["id"]
            host.wait_for("/held.jpg")
            take_down(members, "valkey", "killed")
            release.set()
            worker = members.members["worker-1"]
            members.wait_until(lambda: "retrying to record how" in worker.log.read_text(), "the worker")
            bring_back(members, "valkey", "killed")
            job = requests.get(f"{members.url}/v1/jobs/{job_id}?wait=60", timeout=90).json()
            assert (job["status"], job["attempt"]) == ("succeeded", 1)


@pytest.mark.timeout(900)
def test_without_both_every_answer_comes_soon_too(members: Stack) -> None:
    for name in ("valkey", "seaweedfs"):
        take_down(members, name, "frozen")
    try:
        assert_unavailable(answer_of(members, "POST", "/v1/jobs", body(5)))
        assert answer_of(members, "GET", "/readyz").status_code == 503
    finally:
        for name in ("valkey", "seaweedfs"):
            members.members[name].thaw()
        members.wait_until(lambda: stack.is_ready(members.url), "the service")
    finished(members, 6)

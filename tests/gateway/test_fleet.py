"""The fleet: its workers, its lanes and its last hour, on a real Valkey."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import RedisError

from configs.settings import Settings
from tests.support import protocol
from worker.job.jobs import Jobs
from worker.process import history
from worker.process.model_report import ModelReport
from worker.process.roster import LOST_SECONDS, Roster
from worker.store.clock import HOUR, MINUTE
from worker.store.keyspace import Keyspace

Fleet = Callable[[], dict[str, Any]]


@pytest.fixture
def fleet(client: FlaskClient) -> Fleet:
    def read() -> dict[str, Any]:
        answer = client.get("/v1/fleet")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    return read


def enter(keyspace: Keyspace, settings: Settings, name: str, device: str = "cpu") -> Roster:
    loaded = {"SAM-Lite": ("openvino", "bfloat16")}
    roster = Roster(keyspace, settings, name, device, lambda: ModelReport({"SAM-Lite": 9}, loaded))
    roster.enter()
    return roster


def lane(fleet: dict[str, Any], device: str, priority: str) -> dict[str, Any]:
    [found] = [each for each in fleet["lanes"] if (each["device"], each["priority"]) == (device, priority)]
    return dict(found)


def die(keyspace: Keyspace, line: str, seconds_ago: float = 1.0) -> None:
    """Let the lease of a worker have ended."""
    keyspace.redis.zadd(keyspace.key("workers"), {line: keyspace.now() / 1_000_000 - seconds_ago})


def statuses(fleet: dict[str, Any]) -> dict[str, str]:
    return {worker["name"]: worker["status"] for worker in fleet["workers"]}


def test_a_new_service_has_no_workers_empty_lanes_and_no_history(fleet: Fleet) -> None:
    found = fleet()
    assert (found["workers"], found["worker_count"], found["history"]) == ([], 0, [])
    assert [(each["queued"], each["oldest_s"], each["running"]) for each in found["lanes"]] == [(0, None, 0)] * 9
    assert (found["submissions"], found["queued_jobs"], found["running_jobs"]) == ("ok", 0, 0)


def test_a_worker_is_shown_with_its_device_models_slots_and_running_jobs(
    fleet: Fleet, keyspace: Keyspace, s3_settings: Settings, jobs: Jobs
) -> None:
    roster = enter(keyspace, s3_settings, "host:1", "gpu:2")
    ids = [protocol.accept(jobs, owner) for owner in ("default", "acme")]
    for each in ids:
        protocol.begin(jobs, each, "host:1")
    protocol.begin(jobs, protocol.accept(jobs), "other:2")
    found = fleet()
    [worker] = found["workers"]
    assert (worker["name"], worker["status"], worker["device"]) == ("host:1", "ready", "gpu:2")
    assert worker["models"] == [{"model": "SAM-Lite", "engine": "openvino", "precision": "bfloat16"}]
    assert worker["slots"] == s3_settings.worker_concurrency
    assert {(job["tenant"], job["id"]) for job in worker["running"]} == {
        ("default", ids[0]),
        ("acme", ids[1].removeprefix("acme.")),
    }
    assert worker["started_at"] <= worker["last_seen_at"] <= found["at"]
    assert found["running_jobs"] == 3

    roster.drain()
    roster.enter()
    assert statuses(fleet()) == {"host:1": "draining"}
    roster.leave()
    assert statuses(fleet()) == {}


def test_a_worker_that_died_is_lost_for_some_minutes_whether_or_not_another_worker_noticed(
    fleet: Fleet, keyspace: Keyspace, s3_settings: Settings
) -> None:
    dead, other = (enter(keyspace, s3_settings, name) for name in ("host:1", "host:2"))
    die(keyspace, dead.line)
    assert statuses(fleet()) == {"host:2": "ready", "host:1": "lost"}
    other.enter()
    found = fleet()
    assert (statuses(found), found["worker_count"]) == ({"host:2": "ready", "host:1": "lost"}, 1)
    assert found["workers"][1]["lost_at"] < found["at"]

    dead.enter()  # it only was slow
    assert statuses(fleet()) == {"host:1": "ready", "host:2": "ready"}
    die(keyspace, dead.line, LOST_SECONDS + 1)
    other.enter()
    assert statuses(fleet()) == {"host:2": "ready"}


def test_a_worker_of_an_earlier_version_is_shown_with_what_it_reports(fleet: Fleet, keyspace: Keyspace) -> None:
    report = {"installed": {"SAM-Lite": 9}, "loaded": {"SAM-Lite": ["openvino", "bfloat16"]}}
    keyspace.redis.hset(keyspace.key("worker_models"), "gpu/host:1", json.dumps(report))
    keyspace.redis.zadd(keyspace.key("workers"), {"gpu/host:1": keyspace.now() / 1_000_000 + 60})
    [worker] = fleet()["workers"]
    assert (worker["device"], worker["slots"], worker["version"], worker["last_seen_at"]) == ("gpu", None, None, None)
    assert worker["models"][0]["model"] == "SAM-Lite"


def test_a_worker_of_a_later_version_may_report_more(fleet: Fleet, keyspace: Keyspace, s3_settings: Settings) -> None:
    roster = enter(keyspace, s3_settings, "host:1")
    report = json.loads(keyspace.redis.hget(keyspace.key("worker_models"), roster.line) or "")
    report["process"]["colour"] = "blue"
    keyspace.redis.hset(keyspace.key("worker_models"), roster.line, json.dumps(report))
    assert statuses(fleet()) == {"host:1": "ready"}


def test_lanes_have_their_depth_the_age_of_the_oldest_job_of_any_tenant_and_what_runs(
    fleet: Fleet, keyspace: Keyspace, jobs: Jobs, settings: Settings
) -> None:
    for owner in ("default", "acme", "acme"):
        protocol.accept(jobs, owner, device="gpu", priority="bulk")
    protocol.begin(jobs, protocol.accept(jobs, priority="interactive"))
    protocol.let_time_pass(settings, "line:segment.gpu:bulk:acme", 90)
    found = fleet()
    bulk = lane(found, "gpu", "bulk")
    assert (bulk["queued"], bulk["running"]) == (3, 0)
    assert 90 <= bulk["oldest_s"] < 300
    assert lane(found, "auto", "interactive") == {
        "device": "auto",
        "priority": "interactive",
        "queued": 0,
        "oldest_s": None,
        "running": 1,
    }
    assert sum(each["queued"] for each in found["lanes"]) == found["queued_jobs"] == 3


def test_light_jobs_count_in_the_lane_of_their_priority(fleet: Fleet, jobs: Jobs, keyspace: Keyspace) -> None:
    first = protocol.begin(jobs, protocol.accept(jobs, sha256="a" * 64))
    jobs.succeed(first, {}, {}, 1)
    keyspace.redis.set(keyspace.key(f"made:SAM-Lite:{'a' * 64}"), "")
    for sha256 in ("a" * 64, "b" * 64):
        protocol.accept(jobs, sha256=sha256)
    assert len(keyspace.redis.hgetall(keyspace.key("lanes:segment.auto"))) == 2
    assert lane(fleet(), "auto", "normal")["queued"] == 2


def test_a_job_between_two_attempts_is_delayed_and_in_no_lane(fleet: Fleet, jobs: Jobs) -> None:
    jobs.retry_later(protocol.begin(jobs, protocol.accept(jobs)), protocol.BROKEN)
    found = fleet()
    assert (found["queued_jobs"], found["delayed_jobs"]) == (1, 1)
    assert sum(each["queued"] for each in found["lanes"]) == 0


def test_the_history_has_what_ended_in_each_minute_and_the_present_one(
    fleet: Fleet, keyspace: Keyspace, jobs: Jobs, settings: Settings
) -> None:
    for ended in (2, 1):
        history.keep(keyspace)
        history.keep(keyspace)  # another reaper in the same minute
        for _ in range(ended):
            jobs.succeed(protocol.begin(jobs, protocol.accept(jobs)), {}, {}, 1)
        jobs.cancel(protocol.accept(jobs))
        protocol.let_time_pass(settings, "history", MINUTE)
    protocol.accept(jobs)
    first, present = [minute for minute in fleet()["history"] if minute["seconds"] > 1]
    assert first["ended"] == {"succeeded": 2, "failed": 0, "canceled": 1, "expired": 0}
    assert 59 < first["seconds"] < 300
    assert first["ended_per_s"] == pytest.approx(3 / first["seconds"], rel=0.1)
    assert (first["queued"], present["queued"]) == (0, 1)
    assert present["ended"] == {"succeeded": 1, "failed": 0, "canceled": 1, "expired": 0}
    assert first["at"] < present["at"]


def test_the_history_is_an_hour_long(fleet: Fleet, keyspace: Keyspace, settings: Settings) -> None:
    for _ in range(70):
        protocol.let_time_pass(settings, "history", MINUTE)
        history.keep(keyspace)
    assert keyspace.redis.zcard(keyspace.key("history")) <= HOUR / MINUTE + 3
    assert HOUR / MINUTE <= len(fleet()["history"]) <= HOUR / MINUTE + 2


def test_no_rate_is_negative_after_redis_lost_its_counters_or_its_clock_went_back(
    fleet: Fleet, keyspace: Keyspace, jobs: Jobs, settings: Settings
) -> None:
    for _ in range(3):
        jobs.cancel(protocol.accept(jobs))
    history.keep(keyspace)
    protocol.let_time_pass(settings, "history", MINUTE)
    keyspace.redis.delete(keyspace.key("counts"))
    jobs.cancel(protocol.accept(jobs))
    [present] = fleet()["history"]
    assert present["ended"]["canceled"] == 1

    protocol.let_time_pass(settings, "history", -HOUR)  # the snapshot is from the future
    history.keep(keyspace)
    assert all(minute["seconds"] >= 0 for minute in fleet()["history"])


def test_workers_send_how_long_jobs_waited_and_ran_and_a_heartbeat_that_failed_is_made_up_for(
    fleet: Fleet, keyspace: Keyspace, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster = enter(keyspace, s3_settings, "host:1")
    history.keep(keyspace)
    with roster.latencies.of_attempt(timedelta(seconds=1)):
        pass
    unreachable = s3_settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with Keyspace.open(unreachable) as nowhere, monkeypatch.context() as patch:
        patch.setattr(roster, "_keyspace", nowhere)
        with pytest.raises(RedisError):
            roster.enter()
    assert fleet()["history"][0]["run_ms"] is None
    roster.leave()
    [present] = fleet()["history"]
    assert present["wait_ms"]["count"] == present["run_ms"]["count"] == 1
    assert present["wait_ms"]["p50"] == pytest.approx(1000, rel=0.2)
    assert 0 < present["run_ms"]["p50"] <= present["run_ms"]["p95"]


def test_the_metrics_have_slots_lanes_and_latencies(
    client: FlaskClient, keyspace: Keyspace, s3_settings: Settings, jobs: Jobs
) -> None:
    roster = enter(keyspace, s3_settings, "host:1", "gpu:0")
    enter(keyspace, s3_settings, "host:2", "gpu:1")
    protocol.accept(jobs, device="cpu")
    protocol.begin(jobs, protocol.accept(jobs, priority="bulk"), "host:1")
    with roster.latencies.of_attempt(timedelta(seconds=1)):
        pass
    roster.enter()
    lines = client.get("/metrics").text.splitlines()
    for expected in (
        f'ovseg_worker_slots{{device="gpu"}} {2.0 * s3_settings.worker_concurrency}',
        'ovseg_worker_slots_busy{device="gpu"} 1.0',
        'ovseg_lane_jobs_queued{device="cpu",priority="normal"} 1.0',
        'ovseg_lane_jobs_running{device="auto",priority="bulk"} 1.0',
        'ovseg_lane_oldest_seconds{device="gpu",priority="normal"} 0.0',
        'ovseg_job_run_seconds_bucket{le="+Inf"} 1.0',
        'ovseg_job_wait_seconds_bucket{le="+Inf"} 1.0',
    ):
        assert expected in lines

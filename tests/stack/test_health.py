"""`ovseg health`, run as the probe of a container runs it: next to the process that it checks."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from configs.settings import Settings
from ovseg import health
from ovseg.stack import free_port
from tests.conftest import WEBHOOK_SECRET
from worker.process.pulse import Pulse
from worker.process.roster import Roster
from worker.store.keyspace import Keyspace

PATIENCE_SECONDS = 120  # enough for a busy machine that loads a model
HOST = socket.gethostname()


def environment_of(settings: Settings) -> dict[str, str]:
    return {
        f"OVSEG_{name.upper()}": str(getattr(settings, name))
        for name in ("redis_url", "redis_prefix", "lease_seconds", "sweep_seconds", "s3_endpoint_url", "s3_bucket")
    } | {"OVSEG_GATEWAY_PORT": str(settings.gateway_port), "OVSEG_WEBHOOK_SECRET": WEBHOOK_SECRET}


@contextmanager
def process(part: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "ovseg", part]
    started = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield started
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def outcome(part: str, settings: Settings) -> str:
    try:
        return f"works: {health.check(part, settings)}"
    except health.Unhealthy as unhealthy:
        return f"unhealthy: {unhealthy}"


def wait_for(words: str, ask: Callable[[], str]) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while words not in (answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return answer


@pytest.fixture
def brisk(s3_settings: Settings) -> Settings:
    """Settings with which a process is late after two seconds."""
    return s3_settings.model_copy(update={"lease_seconds": 1.0, "sweep_seconds": 0.1, "gateway_port": free_port()})


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        ("worker", "hangs"),
        ("webhooks", "hangs: its loop `queue`"),
        ("reaper", "hangs: its loop"),
        ("gateway", "no answer"),
    ],
)
def test_a_part_is_healthy_while_it_works_and_unhealthy_while_it_hangs(
    part: str, complaint: str, brisk: Settings
) -> None:
    assert outcome(part, brisk).startswith("unhealthy: ")
    with process(part, environment_of(brisk)) as running:
        wait_for("works: " + part, lambda: outcome(part, brisk))
        os.killpg(running.pid, signal.SIGSTOP)  # also the processes of the gateway that answer
        answer = wait_for(complaint, lambda: outcome(part, brisk))
        assert part == "gateway" or f"process {running.pid} " in answer
        os.killpg(running.pid, signal.SIGCONT)
        wait_for("works: " + part, lambda: outcome(part, brisk))
    assert wait_for("unhealthy", lambda: outcome(part, brisk)).startswith(f"unhealthy: {part}: no ")


def test_the_command_prints_one_line_costs_little_and_exits_with_the_answer(settings: Settings) -> None:
    def ask(part: str, settings: Settings) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "importtime", "-m", "ovseg", "health", part]
        environment = {**os.environ, "OVSEG_REDIS_URL": settings.redis_url, "OVSEG_REDIS_PREFIX": settings.redis_prefix}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    with Keyspace.open(settings) as keyspace:
        Pulse(keyspace, settings, "reaper", "jobs").beat()  # by this process, which is running
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    healthy = ask("reaper", settings)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (healthy.returncode, healthy.stdout) == (0, f"reaper: process {os.getpid()} on {HOST} on time\n")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in healthy.stderr.splitlines()}
    assert not imported & {"paddle", "openvino", "onnxruntime", "cv2", "numpy", "celery", "boto3", "flask"}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3  # 0.4 s on an idle machine

    unhealthy = ask("webhooks", settings)
    lines = [line for line in unhealthy.stderr.splitlines() if not line.startswith("import time:")]
    assert (unhealthy.returncode, lines) == (1, [f"Error: webhooks: no process on {HOST} has reported a sign of life"])


@pytest.mark.parametrize("part", ["worker", "webhooks", "reaper"])
def test_a_redis_that_is_unreachable_is_named_without_its_password(part: str) -> None:
    port = free_port()
    url = f"redis://someone:s3cret@127.0.0.1:{port}/0"
    answer = outcome(part, Settings(redis_url=url))
    assert answer.startswith(f"unhealthy: {part}: Redis is unreachable at redis://127.0.0.1:{port}/0: ")
    assert "s3cret" not in answer


def test_one_loop_that_hangs_makes_the_whole_process_unhealthy(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        for loop in ("archive", "jobs"):
            Pulse(keyspace, settings, "reaper", loop).beat()
        assert outcome("reaper", settings).startswith("works: ")
        keyspace.redis.zadd(keyspace.key(f"pulse:reaper/{HOST}"), {f"{os.getpid()}/archive": 1.0})  # late since 1970
        answer = outcome("reaper", settings)
    assert f"process {os.getpid()} hangs: its loop `archive`" in answer


def test_a_worker_whose_heartbeat_stopped_is_unhealthy_although_it_takes_jobs(settings: Settings) -> None:
    with Keyspace.open(settings) as keyspace:
        roster = Roster(keyspace, settings, f"{HOST}:{os.getpid()}", "cpu")
        Pulse(keyspace, settings, "worker", "queue").beat()
        roster.enter()
        assert outcome("worker", settings).startswith("works: ")
        roster.leave()
        assert "its heartbeat has stopped" in outcome("worker", settings)


def test_dead_processes_and_processes_of_other_hosts_are_ignored(settings: Settings) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.zadd(keyspace.key(f"pulse:reaper/{HOST}"), {f"{child.pid}/jobs": 1.0})  # late since 1970
        Pulse(keyspace, settings, "reaper", "jobs").beat()
        keyspace.redis.zadd(keyspace.key("pulse:reaper/elsewhere"), {f"{os.getpid()}/jobs": 1.0})
    assert outcome("reaper", settings) == f"works: reaper: process {os.getpid()} on {HOST} on time"

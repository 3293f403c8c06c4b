"""Open event streams: how many there may be, who may have one, and when they end before their job."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway.live import live
from tests.support import event_stream, lone_gateway, own_valkey, protocol
from tests.support.lone_gateway import LoneGateway
from tests.support.waiting import wait_until
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.job.jobs import Jobs
from worker.process import open_streams
from worker.store import queue
from worker.store.keyspace import Keyspace

MANY = 100
# Its events are larger than what the buffers of two sockets and a gateway hold together.
LARGE = {"done": 1, "total": 2, "padding": "-" * 100_000}


@pytest.fixture
def key(keys: Keys) -> KeyText:
    return keys.create("", [Scope.JOBS_READ])


@pytest.fixture
def limited(s3_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoneGateway]:
    """A gateway that requires keys and allows three streams, two of them of the same key."""
    for name, value in (("AUTH", "required"), ("MAX_STREAMS", "3"), ("MAX_STREAMS_PER_KEY", "2")):
        monkeypatch.setenv(f"OVSEG_{name}", value)
    with lone_gateway.running(s3_settings) as gateway:
        yield gateway


@pytest.fixture
def many(s3_settings: Settings) -> Iterator[LoneGateway]:
    with lone_gateway.running(s3_settings) as gateway:
        yield gateway


def address(gateway: LoneGateway, job_id: str) -> str:
    return f"{gateway.url}/v1/jobs/{job_id}/events"


def bearer(key: KeyText) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def closed(log: Path) -> list[str]:
    """Return for each stream in the log why it ended."""
    return re.findall(r"closed after [0-9.]+ s and [0-9]+ events: (.*)", log.read_text())


def test_streams_beyond_the_maximum_of_a_key_or_a_gateway_are_refused_until_others_end(
    limited: LoneGateway, jobs: Jobs, keys: Keys, key: KeyText
) -> None:
    url, other = address(limited, protocol.accept(jobs)), keys.create("", [Scope.JOBS_READ])
    with ExitStack() as streams:
        for who in (key, key, other):
            streams.enter_context(event_stream.opened(url, headers=bearer(who))).next()
        refused = requests.get(url, headers=bearer(key), timeout=30)
        assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (
            503,
            "unavailable",
            "2",
        )
    wait_until(lambda: len(closed(limited.log)) == 3)
    with ExitStack() as streams:
        for _ in range(2):
            streams.enter_context(event_stream.opened(url, headers=bearer(key))).next()
        refused = requests.get(url, headers=bearer(key), timeout=30)
        assert (refused.status_code, refused.json()["violated-policies"]) == (429, ["open-streams"])


def test_a_revoked_key_ends_its_streams_within_a_second_and_no_others(
    limited: LoneGateway, jobs: Jobs, keys: Keys, key: KeyText
) -> None:
    job_id, other = protocol.accept(jobs), keys.create("", [Scope.JOBS_READ])
    url = address(limited, job_id)
    with (
        event_stream.opened(url, headers=bearer(key)) as stream,
        event_stream.opened(url, headers=bearer(other)) as others,
    ):
        assert stream.next().type == others.next().type == "job.state"
        keys.revoke(key.id)
        assert stream.types() == []
        jobs.cancel(job_id)
        assert others.types() == ["job.canceled"]
    assert 2 * live.CHECK_SECONDS <= 1  # a measured second would be one of this machine, which may be slow
    assert requests.get(url, headers=bearer(key), timeout=30).status_code == 401
    assert "key_invalid" in closed(limited.log)


def test_the_stream_of_another_tenants_job_is_not_found(limited: LoneGateway, jobs: Jobs, keys: Keys) -> None:
    job_id = protocol.accept(jobs, owner="acme")
    acme, beta = (keys.create("", [Scope.JOBS_READ], tenant=name) for name in ("acme", "beta"))
    url = address(limited, job_id.removeprefix("acme."))
    with event_stream.opened(url, headers=bearer(acme)) as stream:
        assert stream.next().data["data"]["id"] == job_id.removeprefix("acme.")
        answer = requests.get(url, headers=bearer(beta), timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_gateway_that_stops_ends_its_streams(many: LoneGateway, jobs: Jobs) -> None:
    with event_stream.opened(address(many, protocol.accept(jobs))) as stream:
        stream.next()
        assert many.end() == 0
        assert stream.types() == []
    assert closed(many.log) == ["gateway_stops"]


def test_a_client_that_never_reads_is_cut_off_and_harms_no_other(many: LoneGateway, jobs: Jobs) -> None:
    watched, other = protocol.begin(jobs, protocol.accept(jobs)), protocol.accept(jobs)
    threads = many.status("Threads")
    with ExitStack() as opened, socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        mute.connect(("127.0.0.1", many.port))
        mute.sendall(f"GET /v1/jobs/{watched.id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        reader = opened.enter_context(event_stream.opened(address(many, watched.id)))
        others = [opened.enter_context(event_stream.opened(address(many, other))) for _ in range(MANY)]
        assert reader.next().type == "job.state"
        sent = 0
        while "too_slow" not in closed(many.log):
            jobs._keyspace.run("progress", watched.id, watched.attempt, json.dumps(LARGE))
            assert reader.next().type == "job.progress"
            sent += 1
            assert sent < 1000
        jobs.fail(watched, protocol.BROKEN)
        jobs.cancel(other)
        assert reader.types() == ["job.failed"]
        assert all(stream.types() == ["job.state", "job.canceled"] for stream in others)
        assert many.status("Threads") - threads < 10


def test_a_stream_has_comments_while_redis_is_down_and_continues_afterwards(
    tmp_path: Path, s3_settings: Settings
) -> None:
    with ExitStack() as before:
        url = before.enter_context(own_valkey.running(tmp_path))
        settings = s3_settings.model_copy(update={"redis_url": url})
        with lone_gateway.running(settings) as gateway, Keyspace.open(settings) as keyspace:
            jobs = Jobs(keyspace, queue.create(settings), settings)
            job_id = protocol.accept(jobs)
            with event_stream.opened(address(gateway, job_id)) as stream:
                assert stream.next().type == "job.state"
                before.close()
                assert requests.get(address(gateway, job_id), timeout=30).status_code == 503
                assert stream.response.readline() == b": waiting\n"
                with own_valkey.running(tmp_path):
                    jobs.cancel(job_id)
                    assert stream.types() == ["job.canceled"]


def test_the_metrics_have_the_open_streams_of_all_live_gateways_and_why_streams_ended(
    client: FlaskClient, keyspace: Keyspace
) -> None:
    keyspace.redis.hset(keyspace.key("streams"), "dead", "9 1")
    open_streams.report(keyspace, "a", 3, {"too_slow": 2})
    open_streams.report(keyspace, "b", 4, {"too_slow": 1, "complete": 5})
    lines = client.get("/metrics").text.splitlines()
    assert "ovseg_streams 7.0" in lines
    assert 'ovseg_streams_ended_total{reason="too_slow"} 3.0' in lines
    assert keyspace.redis.hkeys(keyspace.key("streams")) == ["a", "b"]

"""Event streams of a batch and of a tenant, and requests that wait for a batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from configs.settings import Settings
from gateway.services import GatewayServices
from tests.gateway.test_batches import fail, items, run_all
from tests.support import event_stream, lone_gateway, protocol
from tests.support.lone_gateway import LoneGateway
from tests.support.waiting import wait_until
from worker.job.jobs import Jobs
from worker.job.request import JobRequest
from worker.store.keyspace import Keyspace


@pytest.fixture
def running(s3_settings: Settings) -> Iterator[LoneGateway]:
    with lone_gateway.running(s3_settings) as gateway:
        yield gateway


def test_a_batch_is_followed_and_waited_for_until_it_has_completed(
    running: LoneGateway, services: GatewayServices, keyspace: Keyspace
) -> None:
    address = f"{running.url}/v1/batches/mine"
    assert requests.put(address, json={"items": items("a", "b")}, timeout=30).status_code == 202
    with event_stream.opened(f"{address}/events") as stream, ThreadPoolExecutor(1) as threads:
        first = stream.next()
        assert (first.type, first.data["data"]["counts"]["waiting"]) == ("batch.state", 2)
        held = threads.submit(requests.get, f"{address}?wait=60", timeout=90)
        wait_until(lambda: keyspace.redis.pubsub_numsub(keyspace.key("done"))[0][1])
        services.feeder.sweep()
        run_all(services, fail)
        *events, last = stream
        assert (last.type, last.data["data"]["counts"]["failed"]) == ("batch.completed", 2)
        assert [event.data["data"]["batch"]["item"] for event in events if event.type == "job.failed"] == ["a", "b"]
        assert {event.type for event in events} <= {"job.failed", "batch.progress"}
        answer = held.result()
    assert (answer.status_code, answer.json()["status"], answer.json()["is_final"]) == (200, "completed", True)
    again = requests.get(f"{address}?wait=60", headers={"Prefer": "wait=60"}, timeout=30)
    assert again.json()["status"] == "completed"
    with event_stream.opened(f"{address}/events", first.id) as stream:
        assert stream.types() == [*(event.type for event in events), "batch.completed"]
    done = requests.get(f"{address}/events", headers={"Last-Event-ID": str(last.id)}, timeout=30)
    assert done.status_code == 204


def test_a_batch_that_does_not_complete_in_time_is_answered_as_it_is(running: LoneGateway) -> None:
    address = f"{running.url}/v1/batches/mine"
    requests.put(address, json={"items": items("a")}, timeout=30)
    answer = requests.get(address, headers={"Prefer": "wait=0"}, timeout=30)
    assert (answer.json()["status"], answer.headers["Preference-Applied"]) == ("running", "wait=0")
    assert requests.get(f"{address}?wait=0.1", timeout=30).json()["status"] == "running"


def test_the_feed_of_a_tenant_has_its_jobs_and_batches_but_no_ephemeral_jobs(
    running: LoneGateway, services: GatewayServices, jobs: Jobs
) -> None:
    hidden: JobRequest = protocol.request().model_copy(update={"ephemeral": True})
    with event_stream.opened(f"{running.url}/v1/events") as feed:
        first = feed.next()
        assert first.data["data"] == {"jobs": {"queued": 0, "running": 0}, "batches": {"open": 0}}
        job_id = protocol.accept(jobs)
        protocol.accept(jobs, owner="acme")
        jobs.cancel(protocol.accepted(jobs, "hidden", hidden).id)
        jobs.cancel(job_id)
        requests.put(f"{running.url}/v1/batches/mine", json={"items": items("a")}, timeout=30)
        services.feeder.sweep()
        run_all(services, fail)
        services.erasure.erase(job_id)
        seen = [feed.next() for _ in range(7)]
    of_batch = ("job.queued", "job.started", "job.failed", "batch.completed")
    assert [event.type for event in seen] == ["job.queued", "job.canceled", *of_batch, "job.deleted"]
    assert seen[-1].data["data"] == {"id": job_id}
    with event_stream.opened(f"{running.url}/v1/events", first.id) as feed:
        assert [feed.next().id for _ in seen] == [event.id for event in seen]

"""Held requests share one thread, and no error may end that thread."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import pytest
from flask import Flask

from gateway import handover, waiting
from gateway.hold import Hold
from gateway.services import GatewayServices
from gateway.waiting import Waiting
from tests.support import protocol
from worker.job.jobs import Jobs
from worker.store.keyspace import Keyspace


def hold(at: Waiting, job_id: str) -> Hold:
    """Hold a request until this job has ended."""
    with Flask("test").test_request_context(environ_overrides={handover.CAN_HOLD: True}) as context:
        at.answer(job_id, 60, lambda job: "")
        found: Hold = context.request.environ[handover.HOLD]
        return found


def test_an_invalid_record_ends_the_hold_of_its_job_and_no_other(
    jobs: Jobs, services: GatewayServices, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_SECONDS", 0.0)
    at = Waiting(jobs, services.batches, keyspace, threading.Event())
    broken, sound = protocol.accept(jobs), protocol.accept(jobs)
    waits = [hold(at, broken), hold(at, sound)]
    keyspace.redis.hset(keyspace.key(f"job:{broken}"), "status", "of a later version")
    waits[0].over.result(30)
    assert not waits[1].over.done()
    jobs.cancel(sound)
    waits[1].over.result(30)


def test_a_request_beyond_max_holds_is_answered_immediately(
    jobs: Jobs, services: GatewayServices, keyspace: Keyspace
) -> None:
    at = Waiting(jobs, services.batches, keyspace, threading.Event())
    at.max_holds = 2
    job_id = protocol.accept(jobs)
    first, _ = hold(at, job_id), hold(at, job_id)
    with Flask("test").test_request_context(environ_overrides={handover.CAN_HOLD: True}):
        assert at.answer(job_id, 60, lambda job: "as it is now") == "as it is now"
    with Flask("test").app_context():
        first.answer()
    assert isinstance(hold(at, job_id), Hold)


def hold_new(at: Waiting, jobs: Jobs, meanwhile: Callable[[str], object] = lambda job_id: None) -> Hold:
    """Accept a job and hold its request; `meanwhile` is called between these steps."""
    job_id = str(uuid.uuid4())
    with Flask("test").test_request_context(environ_overrides={handover.CAN_HOLD: True}) as context:
        with at.expecting(job_id):
            job = protocol.accepted(jobs, job_id, protocol.request())
            meanwhile(job_id)
            at.answer(job_id, 60, lambda job: "", job=job)
        found: Hold = context.request.environ[handover.HOLD]
        return found


def subscribed(jobs: Jobs, services: GatewayServices, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Return a Waiting that is subscribed, and does not look at the records until a test is over."""
    monkeypatch.setattr(waiting, "LOOK_AGAIN_SECONDS", 600.0)
    at = Waiting(jobs, services.batches, keyspace, threading.Event())
    jobs.cancel(hold(at, protocol.accept(jobs)).name)
    return at


def test_the_end_of_a_new_job_is_noticed_at_every_moment(
    jobs: Jobs, services: GatewayServices, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = subscribed(jobs, services, keyspace, monkeypatch)
    later = hold_new(at, jobs)
    assert not later.over.done()
    jobs.cancel(later.name)
    later.over.result(30)

    def end(job_id: str) -> None:
        other = hold(at, protocol.accept(jobs))
        jobs.cancel(job_id)
        jobs.cancel(other.name)
        other.over.result(30)  # by now the end of the first job was published, too

    hold_new(at, jobs, end).over.result(30)


def test_the_end_of_a_new_job_is_noticed_if_the_subscription_breaks_before(
    jobs: Jobs, services: GatewayServices, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = subscribed(jobs, services, keyspace, monkeypatch)

    def end_unheard(job_id: str) -> None:
        keyspace.redis.client_kill_filter(_type="pubsub")
        jobs.cancel(job_id)

    hold_new(at, jobs, end_unheard).over.result(30)

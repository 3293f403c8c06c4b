"""Held requests share one thread, and no error may end that thread."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from gateway import handover, waiting
from gateway.hold import Hold
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
    jobs: Jobs, keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "LOOK_AGAIN_SECONDS", 0.0)
    at = Waiting(jobs, keyspace, threading.Event())
    broken, sound = protocol.accept(jobs), protocol.accept(jobs)
    waits = [hold(at, broken), hold(at, sound)]
    keyspace.redis.hset(keyspace.key(f"job:{broken}"), "status", "of a later version")
    waits[0].over.result(30)
    assert not waits[1].over.done()
    jobs.cancel(sound)
    waits[1].over.result(30)


def test_a_request_beyond_max_holds_is_answered_immediately(jobs: Jobs, keyspace: Keyspace) -> None:
    at = Waiting(jobs, keyspace, threading.Event())
    at.max_holds = 2
    job_id = protocol.accept(jobs)
    first, _ = hold(at, job_id), hold(at, job_id)
    with Flask("test").test_request_context(environ_overrides={handover.CAN_HOLD: True}):
        assert at.answer(job_id, 60, lambda job: "as it is now") == "as it is now"
    with Flask("test").app_context():
        first.answer()
    assert isinstance(hold(at, job_id), Hold)

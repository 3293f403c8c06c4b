"""When Redis is out of memory, jobs still end, are erased and notify; calls that would add data are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import OutOfMemoryError

from configs.settings import Settings
from tests.conftest import WEBHOOK_SECRET
from tests.support import own_valkey, protocol
from tests.support.protocol import AT, BROKEN, HOOK, PICTURE
from worker.job.idempotency import Once
from worker.job.jobs import Jobs
from worker.job.record import Job
from worker.process.roster import Roster, alive
from worker.store import queue
from worker.store.clock import moment
from worker.store.keyspace import Keyspace
from worker.webhook.delivery import Delivery
from worker.webhook.endpoints import Endpoints
from worker.webhook.events import Events


class Room:
    """All objects of the service that work on one Redis."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keyspace, app = Keyspace.open(settings), queue.create(settings)
        self.jobs, self.events = Jobs(self.keyspace, app, settings), Events(self.keyspace, app, settings)
        self.endpoints = Endpoints(self.keyspace, settings)
        self.roster = Roster(self.keyspace, settings, "w1", "cpu")

    def queued(self) -> str:
        return protocol.accept(self.jobs, webhook=HOOK)

    def running(self) -> Job:
        return protocol.begin(self.jobs, self.queued())


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with own_valkey.running(tmp_path_factory.mktemp("valkey"), megabytes=32) as url:
        yield Room(Settings(redis_url=url, webhook_secret=WEBHOOK_SECRET))


Act = Callable[[], object]


def begin(room: Room) -> Act:
    protocol.put_first(room.jobs, room.queued())

    def act() -> object:
        job = room.jobs.begin(protocol.AUTO, "w1")
        assert job is not None
        return job.status

    return act


def beat(room: Room) -> Act:
    job = room.running()
    return lambda: room.jobs.beat([job])


def succeed(room: Room) -> Act:
    job = room.running()
    return lambda: room.jobs.succeed(job, PICTURE, {"encode": 1.0}, 1)


def fail(room: Room) -> Act:
    job = room.running()
    return lambda: room.jobs.fail(job, BROKEN)


def retry_later(room: Room) -> Act:
    job = room.running()
    return lambda: room.jobs.retry_later(job, BROKEN)


def hand_back(room: Room) -> Act:
    job = room.running()
    return lambda: room.jobs.hand_back(job)


def requeue(room: Room) -> Act:
    room.running()
    protocol.let_leases_end(room.settings)
    return lambda: next(status for _, status in protocol.sweep(room.settings) if status)


def cancel(room: Room) -> Act:
    job_id = room.queued()
    return lambda: room.jobs.cancel(job_id)


def cancel_running(room: Room) -> Act:
    job = room.running()
    return lambda: (room.jobs.cancel(job.id), room.jobs.finish_as_decided(job))


def expire(room: Room) -> Act:
    job_id = protocol.accept(room.jobs, start_within_s=5)
    protocol.let_deadline_pass(room.settings, job_id)
    return lambda: room.jobs.expire(job_id)


def erase(room: Room) -> Act:
    job_id = room.queued()
    return lambda: room.keyspace.run("erase", job_id, 1, 1, 0)


def deliver(room: Room) -> Act:
    job = room.running()
    room.jobs.fail(job, BROKEN)

    def act() -> object:
        event = room.events.begin(f"evt_{job.id}_failed", AT)
        assert event is not None
        room.events.delivered(event, Delivery(moment("1"), HOOK, 200, None, 1.0))
        delivered = room.events.get(event.id)
        assert delivered is not None
        return delivered.event.state

    return act


def delete_an_endpoint(room: Room) -> Act:
    endpoint_id = protocol.endpoint(room.endpoints).id
    return lambda: room.endpoints.delete(endpoint_id)


def list_a_worker_as_alive(room: Room) -> Act:
    def act() -> object:
        room.roster.enter()
        return dict(alive(room.keyspace))

    return act


@pytest.mark.parametrize(
    ("prepare", "outcome"),
    [
        (begin, "running"),
        (beat, {}),
        (succeed, "succeeded"),
        (fail, "failed"),
        (retry_later, "queued"),
        (hand_back, "queued"),
        (requeue, "queued"),
        (cancel, "canceled"),
        (cancel_running, ("running", "canceled")),
        (expire, "expired"),
        (erase, "queued"),
        (deliver, "delivered"),
        (delete_an_endpoint, True),
        (list_a_worker_as_alive, {"cpu": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_without_memory_work_continues_and_ends(room: Room, prepare: Callable[[Room], Act], outcome: object) -> None:
    act = prepare(room)
    with own_valkey.out_of_memory(room.settings):
        assert act() == outcome


def test_without_memory_nothing_is_accepted_and_no_key_is_written(room: Room) -> None:
    before = protocol.keys(room.settings)
    with own_valkey.out_of_memory(room.settings):
        assert room.jobs.accept("one", protocol.request(), b"image", None).refusal == "memory"
        with pytest.raises(OutOfMemoryError):
            protocol.endpoint(room.endpoints)
    assert protocol.keys(room.settings) == before


def test_without_memory_what_was_accepted_before_is_still_found(room: Room) -> None:
    once = Once("me/key", "f")
    room.jobs.accept("first", protocol.request(), b"", once)
    with own_valkey.out_of_memory(room.settings):
        again = room.jobs.accept("second", protocol.request(), b"", once)
    assert again.job is not None
    assert again.job.id == "first"


def test_max_queued_jobs_are_accepted_and_no_more_until_one_leaves_the_queue(
    keyspace: Keyspace, settings: Settings
) -> None:
    few = Jobs(keyspace, queue.create(settings), settings.model_copy(update={"max_queued_jobs": 2}))
    first, second = protocol.accept(few), protocol.accept(few, device="gpu")
    refused = few.accept("third", protocol.request(), b"image", None)
    assert (refused.job, refused.refusal, few.full()) == (None, "jobs", "jobs")
    assert not [key for key in protocol.keys(settings) if "third" in key]

    retried = protocol.begin(few, first)
    assert few.accept("third", protocol.request(), b"", None).is_new  # a running job is not queued
    assert few.retry_later(retried, BROKEN) == "queued"  # and is queued again regardless of the limit
    few.cancel(second)
    few.cancel("third")
    assert few.full() == ""

"""Celery's queues and messages, on a real Valkey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.settings import Settings
from tests.support import own_valkey
from worker.store import queue
from worker.store.keyspace import Keyspace


@pytest.mark.parametrize(
    ("device", "names"),
    [("cpu", ["segment.cpu", "segment.auto"]), ("gpu:3", ["segment.gpu", "segment.auto"])],
)
def test_a_worker_takes_jobs_for_its_device_and_for_any_device(device: str, names: list[str]) -> None:
    assert queue.queues_of_worker(device) == names


def test_a_message_is_the_one_that_celery_would_send(settings: Settings) -> None:
    """One of kombu's consumers reads the message from the list that a script would push it to."""
    app = queue.create(settings)
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.lpush(keyspace.key("q:segment.cpu"), queue.message(app, queue.SEGMENT, "segment.cpu", "job-1"))
    with app.connection_for_read() as connection, connection.SimpleQueue("segment.cpu") as consumer:
        message = consumer.get(timeout=5)
        message.ack()
    arguments, _, _ = message.payload
    assert (message.headers["task"], arguments) == ("ovseg.segment", ["job-1"])


def test_a_message_that_was_taken_is_no_longer_in_redis_and_is_put_back_when_its_process_leaves(
    settings: Settings,
) -> None:
    app, message = queue.create(settings), queue.permit(queue.create(settings), "segment.cpu")
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.lpush(keyspace.key("q:segment.cpu"), message)
        with app.connection_for_read() as connection, connection.SimpleQueue("segment.cpu") as consumer:
            taken = consumer.get(timeout=5)
            assert keyspace.redis.keys(keyspace.key("q:unacked*")) == []
            assert keyspace.redis.llen(keyspace.key("q:segment.cpu")) == 0
        put_back = keyspace.redis.rpop(keyspace.key("q:segment.cpu"))
    assert json.loads(put_back)["headers"] == taken.headers


def test_a_process_whose_redis_is_gone_leaves_the_messages_that_it_has_taken_to_the_reaper(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with own_valkey.running(tmp_path) as url:
        app = queue.create(Settings(redis_url=url))
        connection = app.connection_for_read()
        consumer = connection.SimpleQueue("segment.cpu")
        with Keyspace.open(Settings(redis_url=url)) as keyspace:
            permits = [queue.permit(app, "segment.cpu") for _ in range(2)]
            keyspace.redis.lpush(keyspace.key("q:segment.cpu"), *permits)
        taken = [consumer.get(timeout=5) for _ in permits]
    taken[0].channel.close()
    assert caplog.messages == []  # kombu would write the messages into a file and log that


def test_a_permit_is_what_celery_would_send_with_ids_of_its_own(settings: Settings) -> None:
    app = queue.create(settings)
    made = [json.loads(queue.message(app, queue.SEGMENT, "segment.cpu", "segment.cpu"))]
    made += [json.loads(queue.permit(app, "segment.cpu")) for _ in range(3)]
    ids = [
        {each["headers"].pop("id"), each["headers"].pop("root_id"), each["properties"].pop("correlation_id")}
        for each in made
    ]
    assert [len(of_one) for of_one in ids] == [1, 1, 1, 1]  # the three are the same, as Celery makes them
    assert len(set.union(*ids)) == len({each["properties"].pop("delivery_tag") for each in made}) == 4
    assert made == [made[0]] * 4

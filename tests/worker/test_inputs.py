"""Where images wait: in Redis for a moment, in storage for good."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from cli.embedded.seaweedfs import Seaweedfs
from configs.settings import Settings
from worker.connection import connect
from worker.inputs import MOST_IN_REDIS, Inputs
from worker.storage import Storage

KEY, IMAGE = "jobs/j/input", b"\xff\xd8 picture"


@pytest.fixture
def inputs(s3_settings: Settings) -> Iterator[Inputs]:
    with connect(s3_settings, as_bytes=True) as redis:
        yield Inputs(redis, s3_settings.redis_prefix, Storage(s3_settings))


def put_in_redis(settings: Settings, job_id: str) -> None:
    with connect(settings) as redis:
        redis.set(f"{settings.redis_prefix}input:{job_id}", IMAGE)
        redis.hset(f"{settings.redis_prefix}job:{job_id}", "status", "queued")


def is_in_redis(settings: Settings, job_id: str) -> bool:
    with connect(settings) as redis:
        return bool(redis.exists(f"{settings.redis_prefix}input:{job_id}"))


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_image_moves_to_storage_and_is_found_all_the_way(inputs: Inputs, s3_settings: Settings) -> None:
    put_in_redis(s3_settings, "j")
    assert inputs.reserve()
    assert inputs.fetch("j", KEY) == IMAGE
    inputs.archive("j", KEY, IMAGE)
    wait_until(lambda: not is_in_redis(s3_settings, "j"))
    assert inputs.fetch("j", KEY) == IMAGE
    assert Storage(s3_settings).get(KEY) == IMAGE


def test_the_image_of_a_job_that_was_erased_meanwhile_is_erased_too(inputs: Inputs, s3_settings: Settings) -> None:
    put_in_redis(s3_settings, "gone")
    with connect(s3_settings) as redis:
        redis.delete(f"{s3_settings.redis_prefix}job:gone")
    assert inputs.reserve()
    inputs.archive("gone", "jobs/gone/input", IMAGE)
    wait_until(lambda: not is_in_redis(s3_settings, "gone"))
    storage = Storage(s3_settings)

    def is_stored() -> bool:
        try:
            storage.get("jobs/gone/input")
        except ClientError:
            return False
        return True

    wait_until(lambda: not is_stored())


def test_redis_holds_a_few_images_at_a_time(inputs: Inputs) -> None:
    assert [inputs.reserve() for _ in range(MOST_IN_REDIS + 1)] == [True] * MOST_IN_REDIS + [False]
    inputs.release()
    assert inputs.reserve()


def test_while_storage_is_away_nothing_more_goes_to_redis(s3_settings: Settings, s3: Seaweedfs) -> None:
    away = s3_settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    with connect(away, as_bytes=True) as redis:
        inputs = Inputs(redis, away.redis_prefix, Storage(away))
        put_in_redis(away, "j")
        assert inputs.reserve()
        inputs.archive("j", KEY, IMAGE)
        wait_until(lambda: not inputs.reserve())
        assert is_in_redis(away, "j")  # nothing is lost
        assert inputs.fetch("j", KEY) == IMAGE
        with pytest.raises(BotoCoreError):
            inputs.store(KEY, IMAGE)
        inputs._storage = Storage(s3_settings)  # storage is back
        inputs.store(KEY, IMAGE)
        assert inputs.reserve()

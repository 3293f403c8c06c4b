"""Where images wait: in Redis for a moment, in storage for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import Settings
from ovseg.embedded.seaweedfs import Seaweedfs
from tests.chaos import fault_proxy
from tests.chaos.fault_proxy import Fault
from worker.image.inputs import MOST_IN_REDIS, Inputs
from worker.store.connection import connect
from worker.store.storage import IMPATIENT, UNHURRIED, Storage

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


def test_a_large_image_that_storage_takes_slowly_is_no_outage_to_the_next_client(
    s3_settings: Settings, s3: Seaweedfs
) -> None:
    port = int(s3.endpoint_url.rpartition(":")[2])
    with (
        fault_proxy.proxy(lambda: asyncio.open_connection("127.0.0.1", port)) as slow,
        connect(s3_settings, as_bytes=True) as redis,
    ):
        slow.inflict(Fault.DELAY)  # of 64 kB by 0.2 s: the image takes three seconds
        behind = s3_settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{slow.port}"})
        inputs = Inputs(redis, behind.redis_prefix, Storage(behind, IMPATIENT), Storage(behind, UNHURRIED))
        put_in_redis(behind, "large")
        assert inputs.reserve()
        inputs.archive("large", "jobs/large/input", bytes(1_000_000))
        wait_until(lambda: not is_in_redis(behind, "large"))
        assert inputs.reserve()
        assert len(Storage(s3_settings).get("jobs/large/input")) == 1_000_000

"""Where images wait: in Redis for a moment, in storage for good."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from configs.settings import Settings
from ovseg.embedded.seaweedfs import Seaweedfs
from tests.chaos import fault_proxy
from tests.chaos.fault_proxy import Fault, FaultProxy
from tests.support.waiting import wait_until
from worker.image.inputs import MOST_IN_REDIS, Inputs
from worker.store.keyspace import Keyspace
from worker.store.storage import IMPATIENT, UNHURRIED, Storage

KEY, IMAGE = "jobs/j/input", b"\xff\xd8 picture"


@pytest.fixture
def inputs(keyspace: Keyspace, s3_settings: Settings) -> Inputs:
    return Inputs(keyspace, Storage(s3_settings))


def put_in_redis(settings: Settings, job_id: str) -> None:
    with Keyspace.open(settings) as keyspace:
        keyspace.redis.set(keyspace.key(f"input:{job_id}"), IMAGE)
        keyspace.redis.hset(keyspace.key(f"job:{job_id}"), "status", "queued")


def is_in_redis(settings: Settings, job_id: str) -> bool:
    with Keyspace.open(settings) as keyspace:
        return bool(keyspace.redis.exists(keyspace.key(f"input:{job_id}")))


def in_between(s3: Seaweedfs) -> AbstractContextManager[FaultProxy]:
    """Storage as a process reaches it through a network that fails."""
    port = int(s3.endpoint_url.rpartition(":")[2])
    return fault_proxy.proxy(lambda: asyncio.open_connection("127.0.0.1", port))


def test_an_image_moves_to_storage_and_is_found_all_the_way(inputs: Inputs, s3_settings: Settings) -> None:
    put_in_redis(s3_settings, "j")
    assert inputs.reserve()
    assert inputs.fetch("j", KEY) == IMAGE
    inputs.move_soon("j", KEY, IMAGE)
    wait_until(lambda: not is_in_redis(s3_settings, "j"))
    assert inputs.fetch("j", KEY) == IMAGE
    assert Storage(s3_settings).get(KEY) == IMAGE


def test_the_image_of_a_job_that_was_erased_meanwhile_is_erased_too(inputs: Inputs, s3_settings: Settings) -> None:
    put_in_redis(s3_settings, "gone")
    with Keyspace.open(s3_settings) as keyspace:
        keyspace.redis.delete(keyspace.key("job:gone"))
    assert inputs.reserve()
    inputs.move_soon("gone", "jobs/gone/input", IMAGE)
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


def test_while_storage_is_unreachable_nothing_more_goes_to_redis(
    keyspace: Keyspace, s3_settings: Settings, s3: Seaweedfs
) -> None:
    with in_between(s3) as proxy:
        proxy.inflict(Fault.CUT)
        away = s3_settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{proxy.port}"})
        inputs = Inputs(keyspace, Storage(away, IMPATIENT))
        put_in_redis(away, "j")
        assert inputs.reserve()
        inputs.move_soon("j", KEY, IMAGE)
        wait_until(lambda: not inputs.reserve())
        assert is_in_redis(away, "j")  # nothing is lost
        assert inputs.fetch("j", KEY) == IMAGE
        with pytest.raises(BotoCoreError):
            inputs.store(KEY, IMAGE)
        proxy.inflict(Fault.NONE)  # storage is back
        inputs.store(KEY, IMAGE)
        assert inputs.reserve()


def test_a_large_image_that_storage_takes_slowly_is_no_outage_to_the_next_client(
    keyspace: Keyspace, s3_settings: Settings, s3: Seaweedfs
) -> None:
    with in_between(s3) as slow:
        slow.inflict(Fault.DELAY)  # of 64 kB by 0.2 s: the image takes three seconds
        behind = s3_settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{slow.port}"})
        inputs = Inputs(keyspace, Storage(behind, IMPATIENT), Storage(behind, UNHURRIED))
        put_in_redis(behind, "large")
        assert inputs.reserve()
        inputs.move_soon("large", "jobs/large/input", bytes(1_000_000))
        wait_until(lambda: not is_in_redis(behind, "large"))
        assert inputs.reserve()
        assert len(Storage(s3_settings).get("jobs/large/input")) == 1_000_000

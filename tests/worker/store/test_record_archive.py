"""Tenants, API keys and endpoints are restored after Redis lost its data, as they were; on real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from configs.settings import Settings
from tests.support import protocol
from worker.access.keys import Keys
from worker.access.scope import ORDINARY, Scope
from worker.access.tenants import Tenants
from worker.store.keyspace import Keyspace
from worker.store.record_archive import INDEX, RECORDS, RecordArchive, key_of
from worker.store.storage import IMPATIENT, Storage
from worker.webhook.endpoint_fields import EndpointFields
from worker.webhook.endpoints import Endpoints

FIELDS = EndpointFields(url=protocol.HOOK)


@pytest.fixture
def storage(s3_settings: Settings) -> Iterator[Storage]:
    """All tests share the bucket, so each test begins and ends without copies of records."""
    storage = Storage(s3_settings)
    storage.delete_prefix(RECORDS)
    yield storage
    storage.delete_prefix(RECORDS)


@pytest.fixture
def archive(keyspace: Keyspace, storage: Storage) -> RecordArchive:
    return RecordArchive(keyspace, storage)


@pytest.fixture
def keys(keyspace: Keyspace) -> Keys:
    return Keys(keyspace)


@pytest.fixture
def tenants(keyspace: Keyspace, settings: Settings) -> Tenants:
    return Tenants(keyspace, settings)


def lose_redis(keyspace: Keyspace) -> None:
    keyspace.redis.delete(*keyspace.redis.keys(keyspace.key("*")))


def contents(keyspace: Keyspace) -> dict[str, object]:
    """Return everything that Redis has of records and their indexes."""
    redis = keyspace.redis
    read: dict[str, Callable[[str], object]] = {
        "hash": redis.hgetall,
        "zset": lambda name: redis.zrange(name, 0, -1, withscores=True),
    }
    return {name: read[redis.type(name)](name) for name in redis.keys(keyspace.key("*"))}


def test_all_of_them_are_restored_as_they_were(
    archive: RecordArchive, keyspace: Keyspace, keys: Keys, tenants: Tenants, endpoints: Endpoints
) -> None:
    keys.create("root", [Scope.ADMIN])
    live = keys.create("é", ORDINARY, datetime.now(UTC) + timedelta(days=1), "acme")
    revoked = keys.create("", ORDINARY, tenant="acme")
    keys.rotate(live.id, 60)
    keys.revoke(revoked.id)
    tenants.rotate_webhook_secret("acme")
    for owner in ("acme", "default"):
        made, deleted = endpoints.create(owner, FIELDS), endpoints.create(owner, FIELDS)
        assert made is not None
        assert deleted is not None
        endpoints.change(made.id, EndpointFields(description="x", disabled=owner == "acme"))
        endpoints.rotate(made.id)
        endpoints.delete(deleted.id)
    archive.sweep()
    before = contents(keyspace)
    assert len(before) == 10  # 3 keys, 2 endpoints, 1 tenant, and 4 indexes
    lose_redis(keyspace)
    assert archive.restore() == 6
    assert contents(keyspace) == before
    assert archive.restore() == 0
    restored = keys.get(revoked.id)
    assert restored is not None
    assert restored.revoked_at is not None


def test_a_record_that_redis_has_is_not_replaced(archive: RecordArchive, keys: Keys) -> None:
    key = keys.create("", ORDINARY)
    archive.sweep()
    keys.revoke(key.id)
    assert archive.restore() == 0
    found = keys.get(key.id)
    assert found is not None
    assert found.revoked_at is not None


def test_a_change_during_the_copy_is_copied_too(
    archive: RecordArchive, keyspace: Keyspace, keys: Keys, s3_settings: Settings
) -> None:
    """Another reaper copies the change at the same time, and the older copy arrives last."""
    key = keys.create("", ORDINARY)

    class Slow(Storage):
        def put(self, name: str, data: bytes, content_type: str) -> None:
            keys.revoke(key.id)
            archive.sweep()
            super().put(name, data, content_type)

    RecordArchive(keyspace, Slow(s3_settings)).sweep()
    archive.sweep()
    assert not keyspace.redis.exists(keyspace.key(INDEX))
    lose_redis(keyspace)
    assert archive.restore() == 1
    found = keys.get(key.id)
    assert found is not None
    assert found.revoked_at is not None


def test_a_change_during_an_outage_of_storage_is_copied_afterwards(
    archive: RecordArchive, keyspace: Keyspace, keys: Keys, settings: Settings
) -> None:
    keys.create("", ORDINARY)
    unreachable = settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"})
    RecordArchive(keyspace, Storage(unreachable, IMPATIENT)).sweep()
    archive.sweep()
    lose_redis(keyspace)
    assert archive.restore() == 1


def test_records_of_an_older_version_are_copied_by_the_first_sweep(
    keyspace: Keyspace, storage: Storage, endpoints: Endpoints
) -> None:
    made = endpoints.create("default", FIELDS)
    assert made is not None
    keyspace.redis.delete(keyspace.key(INDEX))  # an older version had no such list
    RecordArchive(keyspace, storage).sweep()
    assert storage.exists(key_of(f"endpoint:{made.id}"))
    lose_redis(keyspace)
    RecordArchive(keyspace, storage).restore()
    assert endpoints.list("default") == [made]

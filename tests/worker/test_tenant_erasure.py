"""An erased tenant leaves nothing behind, and takes nothing from others; on real servers."""

from __future__ import annotations

import json
import threading
import uuid

import pytest

from configs.settings import Settings
from tests.support import protocol
from tests.support.waiting import wait_until
from worker import tenant_erasure
from worker.access.scope import ORDINARY
from worker.batch.item import Item
from worker.image.content import ImageSource
from worker.job.idempotency import Once
from worker.job.job_filter import JobFilter
from worker.services import Services
from worker.store import object_names, tenant
from worker.webhook.endpoint_fields import EndpointFields


@pytest.fixture
def services(s3_settings: Settings) -> Services:
    return Services(s3_settings)


def fill(services: Services, owner: str) -> None:
    """Give a tenant a key, an endpoint, a job that succeeded with a result, two jobs that are queued with an image
    (one of them ephemeral), and two queued jobs that share an object of the archive.
    """
    services.keys.create("", ORDINARY, tenant=owner)
    assert services.endpoints.create(owner, EndpointFields(url=protocol.HOOK)) is not None
    done, waiting = (tenant.owned(owner, f"{word}-{uuid.uuid4()}") for word in ("done", "waiting"))
    protocol.accepted(services.jobs, done, protocol.request())
    job = protocol.begin(services.jobs, done)
    services.storage.put(object_names.result(job.attempt_prefix), json.dumps({"result": {}}).encode(), "text/plain")
    services.jobs.succeed(job, protocol.PICTURE, {}, 1)
    request = protocol.request().model_copy(update={"image": ImageSource(key=f"jobs/{waiting}/input")})
    services.jobs.accept(waiting, request, b"image", Once(f"{tenant.prefix(owner)}/a key", "print"))
    ephemeral = tenant.owned(owner, f"ephemeral-{uuid.uuid4()}")
    protocol.accepted(services.jobs, ephemeral, request.model_copy(update={"ephemeral": True}), b"image")
    services.keyspace.redis.set(services.keyspace.key(f"image:{owner}:digest"), "")
    services.batches.create(tenant.owned(owner, "batch"))
    services.batches.add(tenant.owned(owner, "batch"), [Item("waiting", protocol.request())])
    upload = services.uploads.create(owner, "image/jpeg", 5)
    services.storage.put(upload.key, b"image", upload.content_type)
    for job_id in (done, waiting):
        services.archive.keep(job_id)
    services.archive.keep_accepted([protocol.accept(services.jobs, owner) for _ in range(2)])
    services.record_archive.sweep()


def left_of(services: Services, owner: str) -> list[str]:
    """Return what Redis and storage have of a tenant, except that its ids may not be used again soon."""
    redis, key = services.keyspace.redis, services.keyspace.key
    names = [name.removeprefix(key("")) for name in redis.keys(key("*")) if redis.type(name) == "hash"]
    found = [name for name in names if owner in name or owner in redis.hgetall(key(name)).values()]
    found += [
        name for name in redis.keys(key("*")) if owner in name and "erased:" not in name and "erased_batch:" not in name
    ]
    for name in redis.keys(key("*")):
        if redis.type(name) == "zset":
            found += [
                member
                for member in redis.zrange(name, 0, -1)
                if member.startswith((owner, f"endpoint:{owner}", f"batch:{owner}"))
            ]
    found += [name for name in services.storage.list("") if f"{owner}." in name or f"/{owner}" in name]
    return sorted(found)


def test_nothing_is_left_of_a_tenant_and_all_of_another(services: Services) -> None:
    erased, other = (f"t{uuid.uuid4().hex[:8]}" for _ in range(2))
    for owner in (erased, other, "default"):
        fill(services, owner)
    before = left_of(services, other)
    assert len(before) >= 10
    default_jobs = services.jobs.list("default", JobFilter(), 10, None)
    assert tenant_erasure.erase(services, erased) == 5
    services.erasure.sweep()
    services.record_archive.sweep()
    (upload_id,) = (name for name in left_of(services, erased) if ":" not in name)
    assert services.uploads.get(upload_id) is None  # its record stays until its URL no longer works
    services.keyspace.redis.zadd(services.keyspace.key("uploads:due"), {upload_id: 1})
    services.uploads.sweep()
    wait_until(lambda: left_of(services, erased) == [])  # a document that was being written is deleted by its writer
    assert left_of(services, other) == before
    assert services.jobs.list("default", JobFilter(), 10, None) == default_jobs
    assert [key.tenant for key in services.keys.list()] == [other, "default"]
    assert services.tenants.names() == [other]
    assert tenant_erasure.erase(services, erased) == 0  # it may be repeated


def test_a_running_job_is_canceled_first(services: Services) -> None:
    services.keys.create("", ORDINARY, tenant="acme")
    job_id = f"acme.{uuid.uuid4()}"
    protocol.accepted(services.jobs, job_id, protocol.request())
    job = protocol.begin(services.jobs, job_id)
    erasing = threading.Thread(target=tenant_erasure.erase, args=(services, "acme"))
    erasing.start()
    while services.jobs.beat([job]) != {job.claim: "canceled"}:
        assert erasing.is_alive()
    assert services.jobs.get(job_id) is not None
    assert services.jobs.finish_as_decided(job) == "canceled"
    erasing.join(60)
    assert services.jobs.get(job_id) is None


def test_a_job_that_does_not_stop_is_reported(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_erasure, "MAX_WAIT_SECONDS", 0.1)
    services.keys.create("", ORDINARY, tenant="acme")
    job_id = f"acme.{uuid.uuid4()}"
    protocol.accepted(services.jobs, job_id, protocol.request())
    protocol.begin(services.jobs, job_id)
    with pytest.raises(tenant_erasure.StillRunning, match="1 jobs of acme are still running"):
        tenant_erasure.erase(services, "acme")
    assert services.tenants.names() == ["acme"]

"""Erases a tenant: its API keys, webhook endpoints, batches, jobs, uploads and files."""

from __future__ import annotations

import time

from worker.job.job_filter import JobFilter
from worker.job.record import Status
from worker.services import Services
from worker.store import object_names, tenant

# By then no gateway remembers a key of the tenant, and every request that one had allowed has been answered.
GATEWAYS_FORGET_SECONDS = 2.0
JOBS_AT_ONCE = 100
# A worker responds to a cancel request within seconds. After a minute the reaper ends the job without it.
MAX_WAIT_SECONDS = 120.0


class StillRunning(Exception):
    """Jobs of the tenant did not stop in time. Erasing the tenant again continues."""


def erase(services: Services, name: str) -> int:
    """Erase a tenant and return how many jobs it had. Shared embeddings of its images are evicted within a day.

    The keys go first, so that nothing new is made meanwhile, and the tenant's record last: if this is interrupted,
    it can be repeated. Raises StillRunning, and the errors of Redis and storage.
    """
    for key in services.keys.list():
        if key.tenant == name:
            services.keys.delete(key.id)
    time.sleep(GATEWAYS_FORGET_SECONDS)
    for endpoint in services.endpoints.list(name):
        services.endpoints.delete(endpoint.id)
    _cancel_batches(services, name)
    count = _erase_jobs(services, name)
    for prefix in object_names.of_tenant(tenant.prefix(name)):
        services.storage.delete_prefix(prefix)  # also what a Redis that was lost did not list
    _erase_batches(services, name)
    for upload_id in _ids(services, name, "upload"):
        services.uploads.delete(upload_id)  # a reaper erases its record once its URL no longer works
    keyspace = services.keyspace
    # Idempotency keys, known images and embeddings are in no index. They would also expire by themselves, within a day.
    prefix = tenant.prefix(name)
    for pattern in (
        f"key:{prefix}*",
        f"image:{name}:*",
        f"made:*:{prefix}*",
        f"{prefix}usage:*",
        f"{prefix}stored_bytes",
    ):
        for found in keyspace.redis.scan_iter(keyspace.key(pattern)):
            keyspace.redis.delete(found)
    for turns in keyspace.redis.scan_iter(keyspace.key("left:*")):
        keyspace.redis.zrem(turns, name)
    services.tenants.delete(name)
    return count


def _cancel_batches(services: Services, name: str) -> None:
    """Cancel all batches of a tenant, so that no further jobs are made of their items."""
    for batch_id in _ids(services, name, "batch"):
        services.batches.cancel(batch_id)


def _erase_batches(services: Services, name: str) -> None:
    """Erase the batches of a tenant, whose jobs are erased; also those that their client has deleted."""
    for batch_id in _ids(services, name, "batch"):
        services.batches.erase(batch_id)


def _ids(services: Services, name: str, kind: str) -> list[str]:
    """Return the ids of all records of a kind, `batch` or `upload`, that a tenant has."""
    keyspace = services.keyspace
    found = keyspace.redis.scan_iter(keyspace.key(f"{kind}:{tenant.prefix(name)}*"))
    ids = [key.removeprefix(keyspace.key(f"{kind}:")) for key in found]
    return [record_id for record_id in ids if tenant.of(record_id) == name]


def _erase_jobs(services: Services, name: str) -> int:
    count, deadline = 0, time.monotonic() + MAX_WAIT_SECONDS
    while ids := _job_ids(services, name):
        for job_id in ids:
            services.jobs.cancel(job_id)
        running = [job_id for job_id in ids if services.erasure.erase(job_id) == "running"]
        count += len(ids) - len(running)
        if len(running) == len(ids):
            if time.monotonic() > deadline:
                raise StillRunning(f"{len(ids)} jobs of {name} are still running; try again later")
            time.sleep(0.5)
    return count


def _job_ids(services: Services, name: str) -> list[str]:
    """Return the ids of some jobs of a tenant, and of its ephemeral jobs that have not ended."""
    ids = [job.id for job in services.jobs.list(name, JobFilter(), JOBS_AT_ONCE, None)[0]]
    for status in (Status.QUEUED, Status.RUNNING):
        index = services.keyspace.key(f"{tenant.prefix(name)}ephemeral:{status}")
        ids += services.keyspace.redis.zrange(index, 0, JOBS_AT_ONCE)
    return ids

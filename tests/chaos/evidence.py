"""The final state of the service, of storage, of the receiver and of the workers' journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from ovseg_core import outputs
from tests.chaos.batch import BatchClient, BatchEvidence
from tests.chaos.callers import Callers
from tests.chaos.clients import Clients
from tests.chaos.journal import Entry
from tests.chaos.journal import read as read_journals
from tests.chaos.order import TENANTS, Order
from tests.chaos.receiver import Delivery, Receiver
from tests.chaos.stack import Stack
from worker.store import tenant
from worker.store.keyspace import Keyspace
from worker.store.storage import ObjectMissing, Storage

INDEXES = (
    "leases",
    "delayed",
    "deadlines",
    "events:due",
    "unarchived",
    *(f"{tenant.prefix(name)}jobs:{status}" for name in TENANTS for status in ("queued", "running")),
    "waiting:segment.auto",
    "turns:segment.auto",
)


@dataclass(frozen=True)
class Evidence:
    """What is left after a run.

    `accepted` has, by job number, the ids that clients received; `jobs` has every job object of the service;
    `documents` and `pictures` have each job's result.json and first mask in storage, by id; `left_over` has the number
    of entries in each index.
    """

    accepted: Mapping[int, set[str]]
    jobs: Sequence[Mapping[str, Any]]
    documents: Mapping[str, bytes | None]
    pictures: Mapping[str, bytes | None]
    deliveries: Sequence[Delivery]
    entries: Sequence[Entry]
    left_over: Mapping[str, int]
    usage: Mapping[str, Mapping[str, Any]]  # what each tenant has used
    stored_bytes: Mapping[str, int]  # of each tenant, as the records of its jobs and uploads say
    batch: BatchEvidence | None = None


def collect(stack: Stack, callers: Callers, clients: Clients, receiver: Receiver, batch: BatchClient) -> Evidence:
    settings, storage = stack.settings, Storage(stack.settings)
    jobs = [job for name in TENANTS for job in _jobs(stack.url, callers.headers(name))]
    succeeded = [job for job in jobs if job["status"] == "succeeded"]
    entries = list(read_journals(stack.journals))
    with Keyspace.open(settings) as keyspace:
        return Evidence(
            accepted={n: set(ids) for n, ids in clients.accepted.items()},
            jobs=jobs,
            documents={job["id"]: _stored(storage, job["files"]["result"]["key"]) for job in succeeded},
            pictures={
                job["id"]: _stored(storage, prefix_of(job) + outputs.MASK_PNG.paths(1)[0])
                for job in succeeded
                if "png" in job["outputs"]
            },
            deliveries=list(receiver.deliveries),
            entries=entries,
            left_over=left_over(keyspace),
            usage={name: _json(f"{stack.url}/v1/usage", callers.headers(name)) for name in TENANTS},
            stored_bytes={name: _stored_bytes(keyspace, name) for name in TENANTS},
            batch=batch.evidence(entries),
        )


def left_over(keyspace: Keyspace) -> dict[str, int]:
    counts = {index: int(keyspace.redis.zcard(keyspace.key(index))) for index in INDEXES}
    for what, pattern in (("images in Valkey", "input:*"), ("lines", "line:*")):
        counts[what] = len(keyspace.redis.keys(keyspace.key(pattern)))
    return counts


def number_of(job: Mapping[str, Any]) -> Order:
    return Order(job["metadata"]["n"])


def prefix_of(job: Mapping[str, Any]) -> str:
    """Return where the files of the job's last attempt are."""
    return f"jobs/{tenant.owned(number_of(job).tenant, job['id'])}/{job['attempt']}/"


def _jobs(url: str, headers: Mapping[str, str]) -> list[dict[str, Any]]:
    jobs, cursor = [], ""
    while True:
        page = _json(f"{url}/v1/jobs?limit=100{cursor}", headers)
        jobs += page["jobs"]
        if page["next_cursor"] is None:
            return jobs
        cursor = f"&cursor={page['next_cursor']}"


def _json(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(url, headers=headers, timeout=60).json()
    return answer


def _stored_bytes(keyspace: Keyspace, name: str) -> int:
    ids = keyspace.redis.zrange(keyspace.key(f"{tenant.prefix(name)}jobs"), 0, -1)
    sizes = [keyspace.redis.hmget(keyspace.key(f"job:{job_id}"), "input_bytes", "output_bytes") for job_id in ids]
    uploads = keyspace.redis.zrange(keyspace.key(f"{tenant.prefix(name)}uploads"), 0, -1)
    sizes += [[keyspace.redis.hget(keyspace.key(f"upload:{upload_id}"), "size")] for upload_id in uploads]
    return sum(int(size or 0) for row in sizes for size in row)


def _stored(storage: Storage, key: str) -> bytes | None:
    try:
        return storage.get(key)
    except ObjectMissing:
        return None

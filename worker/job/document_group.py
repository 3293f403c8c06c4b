"""Groups: the documents of several accepted jobs of one tenant in one object, because each PUT is costly.

A job is in at most one group, and the field `group` of its record names it. The field is set before the group is
written, so that each record that a group may have can be found and deleted from storage when its job is erased.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import uuid_utils

from worker.store import tenant
from worker.store.storage import Storage

GROUPS = "archive/groups/"
# A document takes 1 kB and a PUT as much CPU time as writing 32 of them. When a job is erased, the others in its group
# that have not ended get documents of their own: 32 take about 0.1 s.
MAX_JOBS = 32


def new_name(owner: str) -> str:
    """Return a name for a group of a tenant's jobs. It begins as their ids do."""
    return tenant.owned(owner, str(uuid_utils.uuid7()))


def key_of(name: str) -> str:
    return f"{GROUPS}{name}.ndjson"


def names(storage: Storage) -> Iterator[str]:
    """Yield the names of all groups in storage."""
    for key in storage.list(GROUPS):
        yield key.removeprefix(GROUPS).removesuffix(".ndjson")


def write(storage: Storage, name: str, records: Mapping[str, Mapping[str, str]]) -> None:
    """Write a group of records by job id, one document in each line."""
    lines = (json.dumps({"id": job_id, "record": record}) for job_id, record in records.items())
    storage.put(key_of(name), "".join(f"{line}\n" for line in lines).encode(), "application/x-ndjson")


def read(storage: Storage, name: str) -> dict[str, dict[str, str]]:
    """Return the records in a group by job id. Raises ObjectMissing."""
    documents = map(json.loads, storage.get(key_of(name)).splitlines())
    return {document["id"]: document["record"] for document in documents}

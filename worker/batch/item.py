"""One item of a batch: a request of a client, under an id of the client's own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

from worker.job.idempotency import Once, fingerprint
from worker.job.request import JobRequest
from worker.store import tenant

# So many of the fingerprint's 64 hexadecimal digits are kept: they only have to distinguish two requests under one id.
SHORT = 16


@dataclass(frozen=True)
class Item:
    """An item as the manifest in storage has it."""

    id: str
    request: JobRequest

    @cached_property
    def fingerprint(self) -> str:
        """Return a text that is the same for the same request; Redis keeps it with the item's id."""
        return fingerprint(self.request)[:SHORT]

    @property
    def once(self) -> Once:
        """Return the promise that this item has one job."""
        return Once.by_id(self.request)

    @cached_property
    def line(self) -> str:
        """Return the item as a line of JSON."""
        return json.dumps({"id": self.id, "request": self.request.model_dump(mode="json")}, separators=(",", ":"))

    @classmethod
    def of_line(cls, line: bytes) -> Item:
        read = json.loads(line)
        return cls(read["id"], JobRequest.model_validate(read["request"]))


def job_id_of(batch_id: str, item_id: str) -> str:
    """Return the id of the job of an item: always the same, so that an item that is fed twice has one job."""
    return tenant.owned(tenant.of(batch_id), _reserved(batch_id, item_id))


def batch_id_of(owner: str, idempotency_key: str) -> str:
    """Return the id of the batch that a tenant makes with this key: always the same."""
    return tenant.owned(owner, _reserved(owner, "", idempotency_key))


def _reserved(*parts: str) -> str:
    """Return an id in the form of a UUID of version 7, which clients may not choose."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], f"7{digest[13:16]}", f"8{digest[17:20]}", digest[20:32]))

"""Requests that mean the same job: under one Idempotency-Key, or under an id that the caller chose."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from worker.job.request import JobRequest


@dataclass(frozen=True)
class Once:
    """Under one key there is one job, and it asks for what `fingerprint` says. Without a key, that holds of its id."""

    key: str | None
    fingerprint: str

    @classmethod
    def by_key(cls, scope: str, key: str, request: JobRequest) -> Once:
        """A key counts among those of its caller, the `scope`: "" until callers can be told apart."""
        return cls(f"{scope}/{key}", fingerprint(request))

    @classmethod
    def by_id(cls, request: JobRequest) -> Once:
        return cls(None, fingerprint(request))


def fingerprint(request: JobRequest) -> str:
    """SHA-256 of what is asked, as it was understood: spelling and order of the JSON's fields make no difference.

    Redis remembers it across upgrades, so the bytes that are hashed must stay the same.
    """
    source = request.image
    # An image by its digest, wherever it is stored; records of the first days have no digest.
    image = {"url": source.url, "key": source.content.sha256 if source.content else source.key}
    asked = request.model_dump(mode="json", exclude={"image"})
    # A field that a later version adds, and that nobody gave, leaves the fingerprint as it was.
    given = {name: value for name, value in asked.items() if value is not None}
    return hashlib.sha256(json.dumps({**given, "image": image}, sort_keys=True).encode()).hexdigest()

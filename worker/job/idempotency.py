"""Recognises requests for the same job, by their Idempotency-Key or by the id that the caller chose."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from worker.job.request import JobRequest


@dataclass(frozen=True)
class Once:
    """A promise of one job per key, or per id if `key` is None. `fingerprint` identifies the request that made the job:
    another request under the same key or id is refused.
    """

    key: str | None
    fingerprint: str

    @classmethod
    def by_key(cls, scope: str, key: str, request: JobRequest) -> Once:
        """The same key in another `scope` is another key. The scope of the tenant `default` is empty."""
        return cls(f"{scope}/{key}", fingerprint(request))

    @classmethod
    def by_id(cls, request: JobRequest) -> Once:
        return cls(None, fingerprint(request))


def fingerprint(request: JobRequest) -> str:
    """Return the SHA-256 of a parsed request, as hexadecimal. The spelling and order of its JSON make no difference.

    Redis stores fingerprints across upgrades, so the bytes that are hashed must stay the same.
    """
    source = request.image
    # An image counts by its digest, wherever it is stored. Records of the first days have no digest. The file of an
    # upload never changes.
    stored = source.content.sha256 if source.content else source.upload.id if source.upload else source.key
    image = {"url": source.url or source.s3, "key": stored}
    fields = request.model_dump(mode="json", exclude={"image"})
    # Without the fields that are None: a field that a later version adds does not change older fingerprints.
    given = {name: value for name, value in fields.items() if value is not None}
    return hashlib.sha256(json.dumps({**given, "image": image}, sort_keys=True).encode()).hexdigest()

"""Sessions of browsers in Redis. A session stands for the API key with which a person has signed in.

The browser has a random token. Redis has only its SHA-256, the digest, which names the session. A session ends with the
secret that opened it: when the key is revoked or expires, and when a rotation ends that secret.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from worker.access.credential import Credential
from worker.store import clock
from worker.store.clock import HOUR, moment
from worker.store.keyspace import Keyspace

LIFETIME_SECONDS = 12 * HOUR  # a working day; nobody has to sign in twice a day
MAX_OF_KEY = 64  # a person has a few browsers, and a team may share a key
TOKEN_BYTES = 32


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class Session:
    """A session as its record was when it was read."""

    digest: str
    key_id: str
    secret_hash: str
    expires_at: datetime

    @property
    def credential(self) -> Credential:
        return Credential(self.key_id, self.secret_hash, self.digest)


class Sessions:
    """All sessions. Thread-safe. Each method takes one round trip to Redis."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

    def create(self, opened_with: Credential, seconds: float) -> tuple[str, Session]:
        """Create a session that lasts for `seconds`. Returns its token, which cannot be read again, and the session.

        If the key has MAX_OF_KEY sessions already, the oldest one ends.
        """
        token, key_id, secret_hash = secrets.token_urlsafe(TOKEN_BYTES), opened_with.key_id, opened_with.secret_hash
        lifetime = clock.in_microseconds(seconds)
        ends = self._keyspace.run("session_create", digest(token), key_id, secret_hash, lifetime, MAX_OF_KEY)
        return token, Session(digest(token), key_id, secret_hash, moment(ends))

    def get(self, digest: str) -> Session | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"session:{digest}"))
        if not record:
            return None
        return Session(digest, record["key_id"], record["secret_hash"], moment(record["expires_at"]))

    def existing(self, digests: Collection[str]) -> set[str]:
        """Return the digests of those sessions that exist."""
        with self._keyspace.pipeline() as pipeline:
            for each in digests:
                pipeline.exists(self._keyspace.key(f"session:{each}"))
            return {each for each, exists in zip(digests, pipeline.execute(), strict=True) if exists}

    def delete(self, session: Session) -> None:
        """End a session. Every gateway refuses it within a second."""
        with self._keyspace.pipeline() as pipeline:
            pipeline.delete(self._keyspace.key(f"session:{session.digest}"))
            pipeline.zrem(self._keyspace.key(f"sessions:{session.key_id}"), session.digest)
            pipeline.execute()

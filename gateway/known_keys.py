"""The API keys and sessions that a process has read a moment ago."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from redis import RedisError

from gateway.remembered import Remembered
from ovseg_core.errors import OvsegError
from worker.access.api_key import ApiKey
from worker.access.credential import Credential
from worker.access.keys import USED_EVERY_SECONDS, Keys
from worker.access.sessions import Session, Sessions

log = logging.getLogger(__name__)


class KnownKeys:
    """Finds keys and sessions, and asks Redis for each of them twice a second at most. Thread-safe."""

    def __init__(self, keys: Keys, sessions: Sessions) -> None:
        self._keys = keys
        self._known_keys = Remembered(keys.get)
        self._known_sessions = Remembered(sessions.get)

    def session(self, digest: str) -> Session | None:
        return self._known_sessions.recent(digest) or self._known_sessions.read(digest)

    def checked(self, credential: Credential) -> ApiKey:
        """Return the live key whose secret a client has. Raises OvsegError `key_invalid`."""
        now = datetime.now(UTC)
        key = self.find(credential, now)
        if key is None:  # the same message for an unknown id and for a wrong secret: it must not show which ids exist
            raise OvsegError("key_invalid", "there is no such key")
        if (status := key.status(now)) != "live":
            raise OvsegError("key_invalid", f"the key {key.id} is {status}")
        return key

    def find(self, credential: Credential, now: datetime) -> ApiKey | None:
        """Return the key with this live secret, also if it is expired or revoked; None if there is no such key."""
        key = self._known_keys.recent(credential.key_id)
        if key is None or not key.has_secret(credential.secret_hash, now):
            key = self._known_keys.read(credential.key_id)  # it may have been created or rotated just now
        return key if key is not None and key.has_secret(credential.secret_hash, now) else None

    def mark_used(self, key: ApiKey) -> None:
        """Record that a key is used. It is not worth failing a request if Redis cannot write now."""
        now = datetime.now(UTC)
        if key.last_used_at is not None and now - key.last_used_at < timedelta(seconds=USED_EVERY_SECONDS):
            return
        # So that the next requests do not write it too.
        self._known_keys.replace(key.id, key, by=replace(key, last_used_at=now))
        try:
            self._keys.mark_used(key.id)
        except RedisError as error:
            log.warning("key %s: its use could not be recorded: %s", key.id, error)

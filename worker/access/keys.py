"""The API keys in Redis."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime

from configs import webhook_secret
from worker.access import api_key
from worker.access.api_key import ApiKey, KeyText
from worker.access.rates import OF_SETTINGS, Rates
from worker.access.scope import Scope
from worker.store import clock
from worker.store.keyspace import Keyspace, flat
from worker.store.tenant import DEFAULT

USED_EVERY_SECONDS = 60  # the time of the last use is written at most this often


class Keys:
    """All API keys. Thread-safe. Each method takes one or two round trips to Redis."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace

    def get(self, key_id: str) -> ApiKey | None:
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"apikey:{key_id}"))
        return ApiKey.from_record(key_id, record) if record else None

    def list(self) -> list[ApiKey]:
        """Return all keys, also revoked ones, oldest first."""
        return self.several(self._keyspace.redis.zrange(self._keyspace.key("apikeys"), 0, -1))

    def page(self, limit: int, before: str | None) -> tuple[Sequence[ApiKey], str | None]:
        """Return up to `limit` keys, newest first, and the cursor for older ones (None if there are none).

        Pass that cursor as `before`.
        """
        rows, has_more = self._keyspace.page("apikeys", limit, before)
        return self.several([key_id for key_id, _ in rows]), rows[-1][1] if has_more else None

    def several(self, ids: Sequence[str]) -> builtins.list[ApiKey]:
        """Return those of these keys that exist."""
        with self._keyspace.pipeline() as pipeline:
            for key_id in ids:
                pipeline.hgetall(self._keyspace.key(f"apikey:{key_id}"))
            records = pipeline.execute()
        return [ApiKey.from_record(*row) for row in zip(ids, records, strict=True) if row[1]]

    def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        expires_at: datetime | None = None,
        tenant: str = DEFAULT,
        rates: Rates = OF_SETTINGS,
    ) -> KeyText:
        """Create a key, and its tenant if it is new. Returns the key's text, which cannot be read again."""
        text = KeyText.new(api_key.new_id())
        record = {"name": name, "scopes": " ".join(scopes), "hash": text.hash, **rates.to_record()}
        if expires_at is not None:
            record["expires_at"] = str(clock.microseconds(expires_at))
        self._keyspace.run(
            "apikey_create", text.id, tenant, "" if tenant == DEFAULT else webhook_secret.new(), *flat(record)
        )
        return text

    def rotate(self, key_id: str, overlap_seconds: float) -> KeyText | None:
        """Give a key a new secret and return its new text. The old secret stays live for the overlap.

        A secret that was replaced earlier ends now: at most two are live. Returns None if there is no such key, or if
        it is revoked.
        """
        text = KeyText.new(key_id)
        overlap = clock.in_microseconds(overlap_seconds)
        return text if self._keyspace.run("apikey_rotate", key_id, text.hash, overlap) else None

    def change(self, key_id: str, rates: Mapping[str, int | None]) -> bool:
        """Change rates of a key by name (see Rates); None is the rate of the settings. Other rates stay as they are.

        Every gateway applies them within a second. Returns False if there is no such key.
        """
        written = {name: "" if rate is None else str(rate) for name, rate in rates.items()}
        return bool(self._keyspace.run("record_change", f"apikey:{key_id}", *flat(written)))

    def revoke(self, key_id: str) -> bool:
        """Revoke a key for good. Returns False if there is no such key."""
        return bool(self._keyspace.run("apikey_revoke", key_id))

    def delete(self, key_id: str) -> None:
        """Delete a key, whose tenant is erased. Every gateway refuses it within a second."""
        self._keyspace.run("apikey_delete", key_id)

    def mark_used(self, key_id: str) -> None:
        """Record that a key is used now, unless that was recorded less than USED_EVERY_SECONDS ago."""
        self._keyspace.run("apikey_used", key_id, clock.in_microseconds(USED_EVERY_SECONDS))

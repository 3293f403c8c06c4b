"""An API key as its record describes it. The record has hashes of the key's secrets, never the secrets.

The hash is SHA-256. Slow hashes such as Argon2 protect passwords, which people choose and attackers guess. A secret
here is 256 random bits, which an attacker cannot guess, however fast the hash is. A slow hash would cost each request
CPU time, and would let strangers keep the gateway busy with wrong keys.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.access.rates import OF_SETTINGS, Rates
from worker.access.scope import Scope
from worker.store.clock import moment, moment_of

MAX_NAME = 256  # characters
SECRET_BYTES = 32
TEXT = re.compile(r"ovk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")  # 43 characters of base64 are 32 bytes
NO_HASH = "-" * 64  # as long as a hash, so that a comparison with it takes as long


@dataclass(frozen=True)
class KeyText:
    """The text of a key: what a client sends."""

    id: str
    secret: str

    @classmethod
    def new(cls, key_id: str) -> KeyText:
        """Return a text with a new random secret."""
        return cls(key_id, secrets.token_urlsafe(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> KeyText | None:
        """Return the parts of `ovk_<id>_<secret>`; None if the text has another form."""
        found = TEXT.fullmatch(text)
        return cls(*found.groups()) if found else None

    @property
    def hash(self) -> str:
        """The SHA-256 of the secret, as hexadecimal."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def __str__(self) -> str:
        return f"ovk_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        return f"KeyText({self.id})"  # without the secret: a traceback may show this


def new_id() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True)
class ApiKey:
    """A key as its record was when it was read.

    `hash` is that of the secret. After a rotation, `old_hash` is that of the secret before, which is live until
    `old_secret_until`.
    """

    id: str
    tenant: str
    name: str
    scopes: tuple[Scope, ...]
    hash: str
    created_at: datetime
    old_hash: str | None = None
    old_secret_until: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None  # is up to a minute late
    rates: Rates = OF_SETTINGS

    @classmethod
    def from_record(cls, key_id: str, record: Mapping[str, str]) -> ApiKey:
        return cls(
            id=key_id,
            tenant=record["tenant"],
            name=record["name"],
            scopes=tuple(map(Scope, record["scopes"].split())),
            hash=record["hash"],
            created_at=moment(record["created_at"]),
            old_hash=record.get("old_hash"),
            old_secret_until=moment_of("old_secret_until", record),
            expires_at=moment_of("expires_at", record),
            revoked_at=moment_of("revoked_at", record),
            last_used_at=moment_of("last_used_at", record),
            rates=Rates.from_record(record),
        )

    def has_secret(self, secret_hash: str, now: datetime) -> bool:
        """Return True if the hash is that of a live secret of this key. Takes the same time for every wrong hash."""
        is_current = hmac.compare_digest(secret_hash, self.hash)
        is_old = hmac.compare_digest(secret_hash, self.old_hash or NO_HASH)
        return is_current or (is_old and self.has_old_secret(now))

    def has_old_secret(self, now: datetime) -> bool:
        """Return True if the secret before the last rotation is still live."""
        return self.old_secret_until is not None and now < self.old_secret_until

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def status(self, now: datetime) -> str:
        """Return live, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.has_expired(now) else "live"

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

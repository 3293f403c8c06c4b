"""What a client shows to be let in."""

from __future__ import annotations

from dataclasses import dataclass

from worker.access.api_key import KeyText


@dataclass(frozen=True)
class Credential:
    """A secret of an API key, as its hash. `session` is the digest of the session that was opened with it, if any."""

    key_id: str
    secret_hash: str
    session: str | None = None

    @classmethod
    def of_text(cls, text: KeyText) -> Credential:
        return cls(text.id, text.hash)

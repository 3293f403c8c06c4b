"""An upload, as its record in Redis describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.store import object_names, tenant
from worker.store.clock import moment


@dataclass(frozen=True)
class Upload:
    """A file of `size` bytes. Until `expires_at` a client may put it into storage, and jobs may name it."""

    id: str
    content_type: str
    size: int
    created_at: datetime
    expires_at: datetime

    @classmethod
    def from_record(cls, upload_id: str, record: Mapping[str, str]) -> Upload:
        return cls(
            id=upload_id,
            content_type=record["content_type"],
            size=int(record["size"]),
            created_at=moment(record["created_at"]),
            expires_at=moment(record["expires_at"]),
        )

    @property
    def shown_id(self) -> str:
        """Return the id as the owner sees it."""
        return tenant.shown(self.id)

    @property
    def key(self) -> str:
        """Return the key of the file in storage."""
        return object_names.upload(self.id)

    @property
    def is_expired(self) -> bool:
        return datetime.now(UTC) >= self.expires_at

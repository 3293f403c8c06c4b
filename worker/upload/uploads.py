"""Uploads in Redis, and their files in storage."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Collection, Iterator, Sequence

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.access import tenant_limits
from worker.access.quota import QuotaExceeded
from worker.access.tenant_limits import TenantLimits
from worker.image.content import ImageSource, UploadedFile
from worker.store import clock, object_names, record_archive, tenant
from worker.store.keyspace import Keyspace, pairs
from worker.store.storage import ObjectMissing, Storage
from worker.upload import content_type
from worker.upload.upload import Upload

log = logging.getLogger(__name__)

RETRY_SECONDS = 60  # uploads expire after hours, or are deleted by the client that has too many
ERASED_PER_SWEEP = 100  # so that each sweep is short; the next one erases the rest


class Uploads:
    """Makes, finds and erases uploads. Thread-safe. An upload belongs to the tenant of its id."""

    def __init__(self, keyspace: Keyspace, storage: Storage, settings: Settings) -> None:
        self._keyspace = keyspace
        self._storage = storage
        self._settings = settings

    def create(self, owner: str, type_of_content: str, size: int) -> Upload:
        """Make an upload, whose size counts as stored from now on. It survives the loss of Redis.

        Raises QuotaExceeded, and OvsegError `queue_full` if Redis has no memory for it.
        """
        upload_id, settings = tenant.owned(owner, f"upl_{secrets.token_hex(16)}"), self._settings
        max_bytes = TenantLimits.of_settings(settings).max_stored_bytes
        lifetime = clock.in_microseconds(settings.upload_seconds)
        outcome, *more = self._keyspace.run(
            "upload_create", upload_id, type_of_content, size, lifetime, settings.max_uploads, max_bytes or ""
        )
        if outcome == "full":
            raise OvsegError("queue_full", "Redis's memory has reached the limit for new uploads; try again later")
        if outcome == "exceeded":
            raise _exceeded(*more)
        record = pairs(more)
        _, copy = _keys_of(upload_id)
        self._storage.put(copy, json.dumps(record).encode(), "application/json")
        return Upload.from_record(upload_id, record)

    def sign(self, upload: Upload) -> str:
        """Return the URL to which a client may PUT the file, once."""
        return self._storage.links.sign_put(upload.key, upload.content_type, upload.size, self._settings.upload_seconds)

    def get(self, upload_id: str) -> Upload | None:
        """Return an upload; None if there is none, or if it was deleted."""
        record = self._keyspace.redis.hgetall(self._keyspace.key(f"upload:{upload_id}"))
        return Upload.from_record(upload_id, record) if record and "deleted_at" not in record else None

    def status(self, upload: Upload) -> str:
        """Return `waiting`, `received` or `expired`."""
        if upload.is_expired:
            return "expired"
        return "waiting" if self._storage.head(upload.key) is None else "received"

    def file(self, upload: Upload) -> UploadedFile:
        """Return the file of an upload, as it is in storage.

        Raises OvsegError `upload_expired`, `upload_not_received`: also if the file is not what the upload was made for,
        which a storage server could allow that does not check all that is signed.
        """
        if upload.is_expired:
            raise expired()
        head = self._storage.head(upload.key)
        if head is None:
            raise OvsegError("upload_not_received", "send the file first, with a PUT to the `url` of the upload")
        if (head.size, head.content_type) != (upload.size, upload.content_type):
            found, wanted = (f"{each.size:,} bytes of {each.content_type}" for each in (head, upload))
            raise OvsegError("upload_not_received", f"the file has {found}, not {wanted}")
        return UploadedFile(id=upload.id, etag=head.etag, size=head.size)

    def image(self, owner: str, shown_id: str) -> ImageSource:
        """Return the image that a tenant has uploaded.

        Raises OvsegError as `file`, `image_not_found`, and `invalid_value` if the upload is no image.
        """
        return ImageSource(upload=self.file(self._named(owner, shown_id, content_type.IMAGES, "image_not_found")))

    def manifest(self, owner: str, shown_id: str) -> Iterator[bytes]:
        """Yield the manifest that a tenant has uploaded, a piece at a time.

        Raises OvsegError as `file`, `upload_not_found`, and `invalid_value` if the upload is no manifest.
        """
        upload = self._named(owner, shown_id, (content_type.MANIFEST,), "upload_not_found")
        try:
            yield from self._storage.stream(upload.key, self.file(upload).etag, 0, upload.size - 1)
        except ObjectMissing:  # it was deleted just now
            raise expired() from None

    def _named(self, owner: str, shown_id: str, allowed: Collection[str], code: str) -> Upload:
        """Return the upload that a tenant names. Raises OvsegError `code`, and `invalid_value` for another type."""
        upload = self.get(tenant.owned(owner, shown_id))
        if upload is None:
            raise OvsegError(code, "there is no upload with this id, or it has expired or was deleted")
        if upload.content_type not in allowed:
            raise OvsegError("invalid_value", f"the upload cannot be used here: it is {upload.content_type}")
        return upload

    def hold(self, upload_ids: Sequence[str]) -> None:
        """Let these uploads expire later, because items of a batch wait for their jobs."""
        if upload_ids:
            self._keyspace.run("upload_hold", *upload_ids)

    def delete(self, upload_id: str) -> bool:
        """Delete an upload and its file; False if there is none. Jobs that have a copy of the file keep it.

        The record stays until its URL no longer works: a reaper then deletes what was put there in the meantime.
        """
        if not self._keyspace.run("upload_delete", upload_id):
            return False
        self._storage.delete(_keys_of(upload_id))
        return True

    def sweep(self) -> None:
        """Erase the uploads that have expired. Raises the errors of Redis and storage."""
        for upload_id, due_at in self._keyspace.first("uploads:due", self._keyspace.now(), ERASED_PER_SWEEP):
            self._erase(upload_id, int(due_at))
            log.info("upload %s: expired, erased", upload_id)

    def _erase(self, upload_id: str, due_at: int) -> None:
        """Erase an upload: its file, then its record; nothing if it is due at another time now."""
        self._storage.delete(_keys_of(upload_id))
        self._keyspace.run("upload_erase", upload_id, due_at)


def _keys_of(upload_id: str) -> list[str]:
    """Return the keys of an upload's file, and of the copy of its record from which a recovery restores it."""
    return [object_names.upload(upload_id), record_archive.key_of(f"upload:{upload_id}")]


def expired() -> OvsegError:
    return OvsegError("upload_expired", "the upload has expired: make a new one, and send the file again")


def _exceeded(policy: str, quota: int, left: int) -> QuotaExceeded:
    if policy == tenant_limits.STORED_BYTES:
        what = f"this tenant may store {quota:,} bytes, and {left:,} are left; delete jobs or uploads"
    else:
        what = f"this tenant may have {quota:,} uploads; delete those that jobs have used, or wait until some expire"
    return QuotaExceeded(policy, quota, left, what, RETRY_SECONDS)

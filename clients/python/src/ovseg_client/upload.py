"""`client.uploads`: files that are sent to the object storage without passing through the gateway."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from ovseg_client.errors import ApiError, ImageUnreadable
from ovseg_client.service import path_of
from ovseg_client.steps import AsyncPart, Call, Part, Request, Steps, Transfer

U = TypeVar("U", bound="UploadCalls")
# Not all of these are known to every version of Python.
TYPES = {".webp": "image/webp", ".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heif"}
MANIFESTS = {".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}
ALREADY_THERE = 412  # the file was received, and its answer lost: the request has If-None-Match


class UploadCalls:
    """The state of an upload and the calls of both kinds. It may be the `image` of a request.

    Attributes:
        raw: The upload object of the HTTP API, as it was when it was last read.
    """

    def __init__(self, client: Any, raw: Mapping[str, Any]) -> None:
        self._client = client  # a Client or an AsyncClient: their module imports this one
        self.raw = raw

    @property
    def upload_id(self) -> str:
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        """`waiting`, `received` or `expired`, as it was when the upload was last read."""
        return str(self.raw["status"])

    @Call
    def refresh(self) -> Steps[None]:
        """Read the upload again: its state changes to the present one."""
        self.raw = yield from self._client.parsed(Request("GET", path_of("uploads", self.upload_id)))

    @Call
    def delete(self) -> Steps[None]:
        """Delete the upload and its file. Jobs that were made of it keep their images."""
        yield from self._client.answer(Request("DELETE", path_of("uploads", self.upload_id)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.upload_id} {self.status}>"


class Upload(UploadCalls, Part):
    """An upload of a `Client`."""


class AsyncUpload(UploadCalls, AsyncPart):
    """An upload of an `AsyncClient`. Its methods are awaited."""


class UploadsCalls(Generic[U]):
    """The calls of both kinds; `U` is the kind of their uploads."""

    _new: type[U]

    def __init__(self, client: Any) -> None:
        self._client = client  # a Client or an AsyncClient: their module imports this one

    @Call
    def create(self, file: str | os.PathLike[str] | bytes, content_type: str | None = None) -> Steps[U]:
        """Send an image or a manifest to the object storage.

        The storage gets the headers that the service names for it, and not the API key.

        Args:
            file: A path, or the bytes of a file.
            content_type: By default the one that the name of the file implies.

        Raises:
            ValueError: The content type is not known.
            ImageUnreadable: The file cannot be read.
            ApiError: The service or the storage refused it.
        """
        kind = content_type or _type_of(file)
        content, size = _content_of(file)
        raw = yield from self._client.parsed(Request("POST", "/v1/uploads", json={"content_type": kind, "size": size}))
        headers = {**raw["headers"], "Content-Length": str(size)}
        try:
            yield from self._client.answer(Transfer(raw["method"], raw["url"], headers, content))
        except ApiError as error:
            if error.status != ALREADY_THERE:
                raise
        upload = self._new(self._client, raw)
        upload.raw = yield from self._client.parsed(Request("GET", path_of("uploads", upload.upload_id)))
        return upload

    @Call
    def get(self, upload_id: str) -> Steps[U]:
        """Read an upload by its id.

        Raises:
            NotFound: There is no such upload.
        """
        return self._new(self._client, (yield from self._client.parsed(Request("GET", path_of("uploads", upload_id)))))


class Uploads(UploadsCalls[Upload], Part):
    """`client.uploads` of a `Client`."""

    _new = Upload


class AsyncUploads(UploadsCalls[AsyncUpload], AsyncPart):
    """`client.uploads` of an `AsyncClient`. Its methods are awaited."""

    _new = AsyncUpload


def _type_of(file: str | os.PathLike[str] | bytes) -> str:
    if not isinstance(file, bytes):
        ending = Path(file).suffix.lower()
        found = TYPES.get(ending) or MANIFESTS.get(ending) or mimetypes.guess_type(Path(file).name)[0]
        if found:
            return found
    raise ValueError("the type of the file is not known from its name: give content_type, such as image/jpeg")


def _content_of(file: str | os.PathLike[str] | bytes) -> tuple[bytes | Path, int]:
    if isinstance(file, bytes):
        return file, len(file)
    try:
        return Path(file), Path(file).stat().st_size
    except OSError as error:
        raise ImageUnreadable(str(error)) from error

"""`client.batches`: creates, finds and lists batches."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ovseg_client import image as images
from ovseg_client.batch import AsyncBatch, Batch, BatchCalls
from ovseg_client.mapping import Item
from ovseg_client.prompts import fields_of
from ovseg_client.service import path_of
from ovseg_client.steps import AsyncPart, Call, Emitting, Part, Request, Steps, Stream, Work
from ovseg_client.upload import UploadCalls

B = TypeVar("B", bound=BatchCalls)
# A part is repeated as a whole if its answer is lost. The service accepts 32 MB, but a part is also held in memory.
PART_BYTES = 4 * 1024 * 1024
NDJSON = {"Content-Type": "application/x-ndjson"}


@dataclass(frozen=True)
class ManifestPart:
    """Some lines of a manifest, and how many items came before them."""

    body: bytes
    items_before: int
    is_last: bool


class BatchesCalls(Generic[B]):
    """The calls of both kinds; `B` is the kind of their batches."""

    _new: type[B]

    def __init__(self, client: Any) -> None:
        self._client = client  # a Client or an AsyncClient: their module imports this one

    @Call
    def create(
        self,
        items: Iterable[Mapping[str, Any] | Item] = (),
        *,
        manifest: UploadCalls | None = None,
        id: str | None = None,  # noqa: A002 - the API's name
        defaults: Mapping[str, Any] | None = None,
        webhook: str | Mapping[str, Any] | None = None,
    ) -> Steps[B]:
        """Submit many jobs with one manifest. They run without the client.

        The manifest is sent in parts of a few megabytes, each repeated until it is answered. Sent again under the same
        id, it adds only what is new.

        Args:
            items: Each a dict as in the HTTP API, with an `id` of your own, or `Item(image, id=..., boxes=...)`. It may
                be a generator. An image is a URL, a digest or an upload.
            manifest: Instead of items, an upload of JSON lines: `client.uploads.create("manifest.ndjson")`.
            id: Of the batch; by default a new one.
            defaults: Fields of a job, for the items that do not have them.
            webhook: A receiver that is notified of the batch.

        Raises:
            ValueError: An item has no id, or its image cannot be part of a manifest.
            ApiError: The service refused the batch. What is wrong with single items is in `errors` of the batch.
        """
        path = path_of("batches", id or f"batch-{uuid.uuid4().hex[:20]}")
        head = {"defaults": dict(defaults or {}), **({"webhook": webhook} if webhook else {})}
        if manifest is not None:
            request = Request("PUT", path, json={"manifest": {"upload": manifest.upload_id}, **head})
            made = yield from self._client.parsed(request)
            return self._new(self._client, made, made["manifest"]["errors"])
        parts = _parts(items, head)
        refused: list[dict[str, Any]] = []
        raw: dict[str, Any] = {}
        while (part := (yield Work(partial(next, parts, None)))) is not None:
            query = {} if part.is_last else {"more": "true"}
            raw = yield from self._client.parsed(Request("PUT", path, query, NDJSON, content=part.body))
            # Line 1 of each part has the defaults.
            refused += [{**error, "line": error["line"] - 1 + part.items_before} for error in raw["manifest"]["errors"]]
        return self._new(self._client, raw, refused)

    @Call
    def get(self, batch_id: str) -> Steps[B]:
        """Read a batch by its id.

        Raises:
            NotFound: There is no such batch.
        """
        return self._new(self._client, (yield from self._client.parsed(Request("GET", path_of("batches", batch_id)))))

    @Call
    def retry(self, batch_id: str) -> Steps[B]:
        """Run the items of a batch that failed, expired or were canceled again, as a new batch.

        Raises:
            Conflict: The batch has not ended, or nothing failed.
        """
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        request = Request("POST", f"{path_of('batches', batch_id)}/retry", headers=headers)
        return self._new(self._client, (yield from self._client.parsed(request)))

    @Stream
    def list(self) -> Emitting[B]:
        """Yield all batches, newest first."""
        yield from self._client.pages("/v1/batches", "batches", {}, partial(self._new, self._client))


class Batches(BatchesCalls[Batch], Part):
    """`client.batches` of a `Client`."""

    _new = Batch


class AsyncBatches(BatchesCalls[AsyncBatch], AsyncPart):
    """`client.batches` of an `AsyncClient`. Its methods are awaited."""

    _new = AsyncBatch


def _parts(items: Iterable[Mapping[str, Any] | Item], head: Mapping[str, Any]) -> Iterator[ManifestPart]:
    """Yield the parts of a manifest; each begins with the head."""
    first = _line(head)
    lines, size, before = [first], len(first), 0
    for number, item in enumerate(items):
        line = _line(_fields(item))
        if size + len(line) > PART_BYTES and len(lines) > 1:
            yield ManifestPart(b"".join(lines), before, is_last=False)
            lines, size, before = [first], len(first), number
        lines.append(line)
        size += len(line)
    yield ManifestPart(b"".join(lines), before, is_last=True)


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _fields(item: Mapping[str, Any] | Item) -> dict[str, Any]:
    """Return an item as it is in a manifest."""
    if isinstance(item, Item):
        image, fields = item.image, fields_of(**item.arguments)
    else:
        image, fields = item.get("image"), dict(item)
    if "id" not in fields:
        raise ValueError(f"an item of a batch needs an id: {fields}")
    named = images.named(image)
    if named is None:
        raise ValueError(f"the image of item {fields['id']!r} must be a URL, a digest or an upload: {image!r}")
    return {**fields, "image": named}

"""Reads a manifest and adds its items to a batch, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Annotated, Any

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from gateway import body, ndjson, submission
from gateway.caller import caller
from gateway.installed import Installed
from gateway.services import services
from ovseg_core.errors import OvsegError
from worker.batch import chunks, manifest
from worker.batch.batches import Added
from worker.batch.item import Item
from worker.batch.manifest import Manifest
from worker.batch.own_webhook import BatchWebhookOrUrl
from worker.job.image_object import MAX_ID_CHARACTERS
from worker.job.validation import validated

MAX_ERRORS = 1000  # an answer lists at most this many errors; they take 200 kB
Read = Callable[[], Any]  # reads an item, and may raise OvsegError

REFUSED = {
    Added.ID_TAKEN: ("id_taken", "the batch has another item with this id"),
    Added.TOO_MANY: ("too_many_items", "the batch has the maximum number of items"),
}


class Head(BaseModel):
    """The fields of a manifest that apply to the whole batch."""

    model_config = ConfigDict(extra="forbid", strict=True)

    defaults: dict[str, Any] = Field(default={}, description="fields of a job, for the items that do not have them")
    webhook: BatchWebhookOrUrl | None = Field(default=None, description="is notified of the batch")


class UploadedManifest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    upload: str = Field(max_length=MAX_ID_CHARACTERS, description="the id of an upload of JSON lines")


class BatchFields(Head):
    """The body of a request that submits a batch as one JSON object: with the items, or an upload that has them."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["items"]}, {"required": ["manifest"]}]},
    )

    items: Annotated[list[Any], Field(min_length=1)] | None = Field(
        default=None, description="each an object with the fields of a job, and an `id` of your own"
    )
    manifest: UploadedManifest | None = Field(default=None, description="what a body of JSON lines would be")


class Submission:
    """Adds the items of the current request to a batch, and counts what became of them."""

    def __init__(self, batch_id: str) -> None:
        self._batch_id = batch_id
        self._chunk: list[tuple[int, Item]] = []
        self._size = self._prompts = 0
        self._max_prompts = services().rate_limits.of_caller()["prompts_per_minute"]
        self.is_new = False
        self.added = self.known = self.error_count = 0
        self.errors: list[dict[str, Any]] = []

    def read(self) -> None:
        """Read the request's body, make the batch unless there is one, and add the items.

        An item that is invalid is noted, and the others are added. Raises OvsegError as the methods of `Batches` and
        the functions of `body`; QuotaExceeded. Items that were added before the error stay added.
        """
        if request.mimetype == body.JSON:
            head, items = _json()
        else:
            body.check_headers()
            head, items = _lines(body.pieces())
        if head.webhook is not None:
            head.webhook.check(services().settings)
        first = next(items, None)
        if first is None:
            raise OvsegError("invalid_request", "the manifest has no items")
        self.is_new = services().batches.create(self._batch_id, head.webhook)
        self._take_all(chain([first], items), head.defaults)

    def _take_all(self, items: Iterator[tuple[int, Read]], defaults: Mapping[str, Any]) -> None:
        parser = Manifest(
            defaults,
            services().settings,
            partial(services().earlier_masks.of, caller().tenant),
            submission.sent_images_now().remembered(),
        )
        installed = Installed()
        for number, read in items:
            fields: object = None
            try:
                fields = read()
                item = parser.parse(fields)
                installed.check(item.request)
                self._check_prompts(item)
            except OvsegError as error:
                self._note(number, manifest.id_of(fields), error)
            else:
                self._take(number, item)
        self._add()

    @property
    def report(self) -> dict[str, Any]:
        return {"added": self.added, "known": self.known, "error_count": self.error_count, "errors": self.errors}

    def _check_prompts(self, item: Item) -> None:
        prompts = item.request.cost.prompts
        if self._max_prompts is not None and prompts > self._max_prompts:
            message = f"these are {prompts:,} prompts, and {self._max_prompts:,} may be sent in a minute; send fewer"
            raise OvsegError("too_many_prompts", message, "prompts")

    def _take(self, number: int, item: Item) -> None:
        """Add an item with the next chunk."""
        prompts = item.request.cost.prompts
        if self._max_prompts is not None and prompts + self._prompts > self._max_prompts:
            self._add()  # so that a minute's quota allows the prompts of each chunk
        self._chunk.append((number, item))
        self._prompts += prompts
        self._size += len(item.line)
        if len(self._chunk) >= chunks.MAX_ITEMS or self._size >= chunks.MAX_BYTES:
            self._add()

    def _add(self) -> None:
        """Add the items that were taken."""
        if not self._chunk:
            return
        taken, prompts = self._chunk, self._prompts
        self._chunk, self._size, self._prompts = [], 0, 0
        services().rate_limits.count_prompts(prompts)
        outcomes = services().batches.add(self._batch_id, [item for _, item in taken])
        for (number, item), added in zip(taken, outcomes, strict=True):
            if added in REFUSED:
                self._note(number, item.id, OvsegError(*REFUSED[added], "id"))
            elif added is Added.NEW:
                self.added += 1
            else:
                self.known += 1

    def _note(self, number: int, item_id: str | None, error: OvsegError) -> None:
        self.error_count += 1
        if len(self.errors) < MAX_ERRORS:
            what = {"code": error.code, "message": error.message, "field": error.field}
            self.errors.append({"line": number, "id": item_id, **what})


def _json() -> tuple[Head, Iterator[tuple[int, Read]]]:
    """Return the head and the items of a JSON object, or of the upload that it names."""
    fields = validated(BatchFields, body.read_json())
    if (fields.items is None) == (fields.manifest is None):
        raise OvsegError("invalid_value", "give either `items`, or a `manifest` that is an upload", "items")
    if fields.manifest is not None:
        return _uploaded(fields, fields.manifest)
    return fields, ((n, partial(lambda item: item, item)) for n, item in enumerate(fields.items or (), 1))


def _uploaded(fields: Head, manifest: UploadedManifest) -> tuple[Head, Iterator[tuple[int, Read]]]:
    """Return the head and the items of an upload. What the request has in its head goes before what the upload has."""
    try:
        head, items = _lines(services().uploads.manifest(caller().tenant, manifest.upload))
    except OvsegError as error:
        raise error if error.field else error.at("manifest.upload") from None
    return Head(defaults={**head.defaults, **fields.defaults}, webhook=fields.webhook or head.webhook), items


def _lines(pieces: Iterable[bytes]) -> tuple[Head, Iterator[tuple[int, Read]]]:
    """Return the head, which the first line may be, and the other lines."""
    numbered = ((n, line) for n, line in enumerate(ndjson.lines(pieces), 1) if line is None or line.strip())
    first = next(numbered, None)
    head = None if first is None else _head(first[1])
    rest = numbered if first is None or head is not None else chain([first], numbered)
    settings = services().settings
    return head or Head(), ((n, partial(ndjson.value, line, settings)) for n, line in rest)


def _head(line: bytes | None) -> Head | None:
    """Return the head of a manifest; None if the line is an item. Raises OvsegError for an invalid head."""
    try:
        found = ndjson.value(line, services().settings)
    except OvsegError:
        return None
    is_head = isinstance(found, dict) and found and found.keys() <= Head.model_fields.keys()
    return validated(Head, found) if is_head else None

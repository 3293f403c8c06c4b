"""The batch object, which `worker.batch.description` makes, and the answer to a manifest."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from gateway.answers.job import Progress
from worker.batch.batch import BatchStatus


class BatchUrls(TypedDict):
    """The paths of this batch's routes."""

    self: str
    cancel: str
    retry: str
    results: str
    jobs: str


class BatchCounts(TypedDict):
    """How many items are in each state. They add up to `total`."""

    total: int
    waiting: Annotated[int, Field(description="items whose jobs are not made yet")]
    queued: int
    running: int
    succeeded: int
    failed: int
    canceled: int
    expired: int
    deleted: Annotated[int, Field(description="items whose jobs were deleted")]


class BatchObject(TypedDict):
    id: str
    status: BatchStatus
    is_final: Annotated[bool, Field(description="true if `status` is completed or canceled")]
    urls: BatchUrls
    counts: BatchCounts
    progress: Annotated[Progress, Field(description="in items")]
    eta_s: Annotated[float | None, Field(description="seconds until it is expected to complete, if it is read alone")]
    created_at: datetime
    sealed_at: Annotated[datetime | None, Field(description="when the manifest was complete")]
    canceled_at: datetime | None
    completed_at: datetime | None


class ItemError(TypedDict):
    line: Annotated[int, Field(description="the line, or the position in `items`, from 1")]
    id: Annotated[str | None, Field(description="of the item, if it has a valid one")]
    code: str
    message: str
    field: str | None


class ManifestReport(TypedDict):
    """What became of the items that one request sent."""

    added: int
    known: Annotated[int, Field(description="items that the batch had already")]
    error_count: Annotated[int, Field(description="items that were not added")]
    errors: Annotated[list[ItemError], Field(description="the first 1,000")]


class SubmittedBatch(BatchObject):
    manifest: ManifestReport


class BatchPage(TypedDict):
    batches: list[BatchObject]
    next_cursor: str | None


class DataSet(TypedDict):
    """The images of a batch that succeeded, and their masks, in COCO's format (https://cocodataset.org/#format-data)."""

    info: dict[str, Any]
    licenses: list[dict[str, Any]]
    annotations: Annotated[list[dict[str, Any]], Field(description="`segmentation` is compressed RLE")]
    images: Annotated[list[dict[str, Any]], Field(description="`id` is the number of the item in the manifest, from 1")]
    categories: Annotated[list[dict[str, Any]], Field(description="the names of prompts, or their phrases")]

"""Batches: many jobs that one manifest describes, which run without the client."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovseg_client import errors
from ovseg_client.result import Result
from ovseg_client.retries import Deadline
from ovseg_client.service import path_of
from ovseg_client.steps import AsyncPart, Call, Emitting, Part, Request, Steps, Stream
from ovseg_client.waiting import until_final

FILES = ("result", "overlay", "masks")


@dataclass(frozen=True)
class ItemResult:
    """What became of one item of a batch.

    Attributes:
        id: The id of the item.
        status: That of its job, or `waiting` without a job yet, or `deleted`.
        result: The masks of a job that succeeded, otherwise None.
        error: Of a job that failed, was canceled or expired, otherwise None.
        raw: The line of the HTTP API.
    """

    id: str
    status: str
    result: Result | None
    error: errors.JobFailed | None
    raw: Mapping[str, Any]


class BatchCalls:
    """The state of a batch and the calls of both kinds of batches.

    Attributes:
        raw: The batch object of the HTTP API, as it was when it was last read.
        errors: Of a batch that was just created: the items that were refused, each with `line` (the number of the item,
            from 1), `id`, `code`, `message`, `field`.
    """

    def __init__(self, client: Any, raw: Mapping[str, Any], refused: list[dict[str, Any]] | None = None) -> None:
        self._client = client  # a Client or an AsyncClient: their module imports this one
        self.raw = raw
        self.errors = refused or []

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        """`receiving`, `running`, `canceling`, `completed` or `canceled`, as it was when the batch was last read."""
        return str(self.raw["status"])

    @property
    def is_final(self) -> bool:
        return bool(self.raw["is_final"])

    @property
    def counts(self) -> dict[str, int]:
        """How many items have which status, and `total`."""
        return dict(self.raw["counts"])

    @Call
    def refresh(self) -> Steps[None]:
        """Read the batch again: its state changes to the present one."""
        self.raw = yield from self._client.parsed(Request("GET", self.path))

    @Call
    def wait(self, timeout: float | None = None) -> Steps[None]:
        """Wait until all items have ended, with any final status.

        Args:
            timeout: In seconds; None waits as long as the batch takes.

        Raises:
            Timeout: The batch has not ended in this time. It continues.
        """
        yield from until_final(self._client, self, Deadline(timeout))

    @Stream
    def results(self) -> Emitting[ItemResult]:
        """Yield what became of each item, in the order of the manifest. The batch may still run."""
        yield from self._client.lines(Request("GET", f"{self.path}/results"), _item_result)

    @Call
    def coco(self) -> Steps[dict[str, Any]]:
        """Return the results as one data set in COCO's format."""
        dataset: dict[str, Any] = yield from self._client.parsed(
            Request("GET", f"{self.path}/results", {"format": "coco"})
        )
        return dataset

    @Call
    def download(self, path: str | os.PathLike[str], files: Sequence[str] = FILES) -> Steps[None]:
        """Write the files of all jobs that have succeeded so far to a tar archive.

        Args:
            path: Of the archive. A file is at `<id of the item>/<name>` in it.
            files: Kinds of files: `result`, `overlay`, `masks`, `image`.
        """
        request = Request("GET", f"{self.path}/files", {"files": ",".join(files)})
        yield from self._client.downloaded(request, Path(path))

    @Call
    def cancel(self) -> Steps[None]:
        """Cancel all items that have not ended.

        Raises:
            Conflict: The batch has completed.
        """
        self.raw = yield from self._client.parsed(Request("POST", f"{self.path}/cancel"))

    @Call
    def delete(self) -> Steps[None]:
        """Erase a batch that has ended, with its jobs and their files.

        Raises:
            Conflict: The batch has not ended.
        """
        yield from self._client.answer(Request("DELETE", self.path))

    @property
    def path(self) -> str:
        """The path of the batch at the service."""
        return path_of("batches", self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status} {self.raw['counts']}>"


class Batch(BatchCalls, Part):
    """A batch of a `Client`."""


class AsyncBatch(BatchCalls, AsyncPart):
    """A batch of an `AsyncClient`. Its methods are awaited; `async for item in batch.results()`."""


def _item_result(line: dict[str, Any]) -> ItemResult:
    job = {**line, "id": line["job"]}
    result = Result(job) if line["status"] == "succeeded" else None
    error = errors.JobFailed(job) if line["status"] in ("failed", "canceled", "expired") else None
    return ItemResult(line["id"], line["status"], result, error, line)

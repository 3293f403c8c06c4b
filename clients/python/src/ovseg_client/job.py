"""A job that was submitted: its state, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ovseg_client import errors
from ovseg_client.result import Result
from ovseg_client.retries import Deadline
from ovseg_client.service import path_of
from ovseg_client.steps import AsyncPart, Call, Part, Request, Steps
from ovseg_client.waiting import until_final


class JobCalls:
    """The state of a job and the calls of both kinds of jobs.

    Attributes:
        raw: The job object of the HTTP API, as it was when it was last read.
    """

    def __init__(self, client: Any, raw: Mapping[str, Any]) -> None:
        self._client = client  # a Client or an AsyncClient: their module imports this one
        self.raw = raw

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        """`queued`, `running`, `succeeded`, `failed`, `canceled` or `expired`, as it was when the job was last read."""
        return str(self.raw["status"])

    @property
    def is_final(self) -> bool:
        return bool(self.raw["is_final"])

    @property
    def progress(self) -> dict[str, int] | None:
        """`{"done": ..., "total": ...}` while everything mode runs, otherwise None."""
        progress: dict[str, int] | None = self.raw["progress"]
        return progress

    @Call
    def refresh(self) -> Steps[None]:
        """Read the job again: its state changes to the present one."""
        self.raw = yield from self._client.parsed(Request("GET", self.path))

    @Call
    def wait(self, timeout: float | None = None) -> Steps[Result]:
        """Wait until the job has ended, and return its result.

        Args:
            timeout: In seconds; None waits as long as the job takes.

        Raises:
            JobFailed: The job has ended without a result.
            Timeout: The job has not ended in this time. It continues.
        """
        return (yield from self.ended(Deadline(timeout)))

    @Call
    def cancel(self) -> Steps[None]:
        """Cancel the job. A running job stops a little later; `wait` raises JobFailed then.

        Raises:
            Conflict: The job has ended already.
        """
        self.raw = yield from self._client.parsed(Request("POST", f"{self.path}/cancel"))

    @Call
    def delete(self) -> Steps[None]:
        """Erase a job that does not run, with its files."""
        yield from self._client.answer(Request("DELETE", self.path))

    def ended(self, deadline: Deadline) -> Steps[Result]:
        """The steps of `wait`."""
        yield from until_final(self._client, self, deadline)
        if self.status != "succeeded":
            raise errors.JobFailed(self.raw)
        return Result(self.raw)

    @property
    def path(self) -> str:
        """The path of the job at the service."""
        return path_of("jobs", self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"


class Job(JobCalls, Part):
    """A job of a `Client`."""


class AsyncJob(JobCalls, AsyncPart):
    """A job of an `AsyncClient`. Its methods are awaited."""

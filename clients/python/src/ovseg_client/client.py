"""`Client` for programs with threads, `AsyncClient` for programs with an event loop."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from ovseg_client import mapping
from ovseg_client.batches import AsyncBatches, Batches
from ovseg_client.calls import Calls
from ovseg_client.image import Image
from ovseg_client.job import AsyncJob, Job
from ovseg_client.loop_thread import LoopThread
from ovseg_client.mapping import Item, Outcome
from ovseg_client.steps import Emitting, Steps, TakesSteps, TakesStepsAsync
from ovseg_client.taker import AsyncTaker, Taker
from ovseg_client.upload import AsyncUploads, Uploads

R = TypeVar("R")
T = TypeVar("T")


class Client(Calls[Job], TakesSteps):
    """A client of an ovseg service: `Client().segment("photo.jpg", boxes=[[140, 10, 305, 180]])`.

    Threads may share a client.
    """

    _new_job = Job

    def __init__(self, base_url: str | None = None, api_key: str | None = None, *, retry_seconds: float = 60.0) -> None:
        """Make a client. It connects when it is first used.

        Args:
            base_url: Of the service; by default `OVSEG_URL`, and without it `http://127.0.0.1:8080`.
            api_key: By default `OVSEG_API_KEY`. A service without keys needs none.
            retry_seconds: For how long after its first failure a request is repeated that gets no answer, or 408, 429,
                502, 503 or 504. 0 never repeats.
        """
        super().__init__(base_url, api_key, retry_seconds)
        self._taker = Taker(self)
        self.batches = Batches(self)
        self.uploads = Uploads(self)

    def map(
        self,
        /,
        images: Iterable[Image | Item],
        *,
        concurrency: int = 8,
        ordered: bool = True,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = False,
        retry_failed: bool = False,
        timeout: float | None = 3600.0,
        **arguments: Any,
    ) -> Generator[Outcome, None, None]:
        """Segment many images, some at a time, and yield the outcome of each.

        Args:
            images: Images, or `Item`s: images with arguments of their own. It may be a generator.
            concurrency: How many jobs are on their way at a time.
            ordered: True yields in the order of the images, False in the order in which the jobs end.
            resume: A file that records every outcome. If the process is killed, call `map` with the same arguments and
                this file again: it yields all outcomes, and each image still has one job.
            progress: True shows a progress bar (the extra `progress`).
            retry_failed: With `resume`: True runs the images again whose recorded job failed or was refused.
            timeout: Seconds for each image until `Timeout` is raised.
            arguments: As those of `segment`. The priority is `bulk` unless it is given.

        Raises:
            ApiError: The service cannot be used, for example because the key is wrong. A refusal of one image is its
                outcome instead.
            Timeout: A job has not ended in time.
            Unreachable: The service did not answer for `retry_seconds`.
            ValueError: The resume file is of another call, or another process uses it.
        """
        options = mapping.Options(concurrency, ordered, resume, progress, retry_failed)
        with LoopThread() as thread:
            client = AsyncClient(self.url, self._key, retry_seconds=self.retry_seconds)
            try:
                yield from thread.iterate(client._map(images, options, timeout, arguments))
            finally:
                thread.run(client.close())

    def close(self) -> None:
        """Close the connections."""
        self._taker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _take(self, steps: Steps[R]) -> R:
        return self._taker.take(steps)

    def _iterate(self, steps: Emitting[T]) -> Generator[T, None, None]:
        return self._taker.iterate(steps)


class AsyncClient(Calls[AsyncJob], TakesStepsAsync):
    """A client of an ovseg service for asyncio. It has the methods of `Client`, which are awaited here.

    Methods that return an iterator there return an async iterator here.
    """

    _new_job = AsyncJob

    def __init__(self, base_url: str | None = None, api_key: str | None = None, *, retry_seconds: float = 60.0) -> None:
        """Make a client. The arguments are those of `Client`."""
        super().__init__(base_url, api_key, retry_seconds)
        self._taker = AsyncTaker(self)
        self.batches = AsyncBatches(self)
        self.uploads = AsyncUploads(self)

    def map(
        self,
        /,
        images: Iterable[Image | Item],
        *,
        concurrency: int = 8,
        ordered: bool = True,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = False,
        retry_failed: bool = False,
        timeout: float | None = 3600.0,
        **arguments: Any,
    ) -> AsyncGenerator[Outcome, None]:
        """Segment many images, as `Client.map` does: `async for outcome in client.map(...)`."""
        options = mapping.Options(concurrency, ordered, resume, progress, retry_failed)
        return self._map(images, options, timeout, arguments)

    def _map(
        self,
        images: Iterable[Image | Item],
        options: mapping.Options,
        timeout: float | None,
        arguments: dict[str, Any],
    ) -> AsyncGenerator[Outcome, None]:
        async def send(job_id: str, image: Image, fields: dict[str, Any]) -> dict[str, Any]:
            job: dict[str, Any] = await self._take(self._final(job_id, image, fields, timeout))
            return job

        return mapping.outcomes(send, images, {"priority": "bulk", **arguments}, options)

    async def close(self) -> None:
        """Close the connections."""
        await self._taker.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _take(self, steps: Steps[R]) -> R:
        return await self._taker.take(steps)

    def _iterate(self, steps: Emitting[T]) -> AsyncGenerator[T, None]:
        return self._taker.iterate(steps)

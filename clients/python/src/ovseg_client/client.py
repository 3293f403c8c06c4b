"""`Client` for programs with threads, `AsyncClient` for programs with an event loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Generator, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from ovseg_client import mapping
from ovseg_client.calls import Calls
from ovseg_client.errors import Unreachable
from ovseg_client.image import Image
from ovseg_client.job import AsyncJob, Job
from ovseg_client.loop_thread import LoopThread
from ovseg_client.mapping import Item, Outcome
from ovseg_client.service import LIMITS
from ovseg_client.steps import Pause, Request, Steps, TakesSteps, TakesStepsAsync, Work

R = TypeVar("R")


class Client(Calls[Job], TakesSteps):
    """A client of an ovseg service. Threads may share one.

    client = Client()
    result = client.segment("photo.jpg", boxes=[[140, 10, 305, 180]])
    """

    _new_job = Job

    def __init__(self, base_url: str | None = None, api_key: str | None = None, *, retry_seconds: float = 60.0) -> None:
        """Make a client. It connects when it is first used.

        Args:
            base_url: Of the service; by default `OVSEG_URL`, or else `http://127.0.0.1:8080`.
            api_key: By default `OVSEG_API_KEY`. A service without keys needs none.
            retry_seconds: For how long after its start a request that gets no answer, or 408, 429, 502, 503 or 504, is
                repeated. 0 never repeats.
        """
        super().__init__(base_url, api_key, retry_seconds)
        self._http = httpx2.Client(limits=LIMITS)

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
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _take(self, steps: Steps[R]) -> R:
        take: Any = steps.send
        given: Any = None
        while True:
            try:
                step = take(given)
            except StopIteration as end:
                result: R = end.value
                return result
            try:
                take, given = steps.send, self._done(step)
            except Exception as error:
                take, given = steps.throw, error

    def _done(self, step: Request | Pause | Work) -> Any:
        match step:
            case Request():
                try:
                    return self._http.request(**self.arguments(step))
                except httpx2.RequestError as error:
                    raise Unreachable(f"{self.url} gave no answer: {error or type(error).__name__}") from error
            case Pause():
                time.sleep(step.seconds)
            case Work():
                return step.function()
        return None


class AsyncClient(Calls[AsyncJob], TakesStepsAsync):
    """A client of an ovseg service for asyncio. It has the methods of `Client`, which are awaited here.

    async with AsyncClient() as client:
        result = await client.segment("photo.jpg", boxes=[[140, 10, 305, 180]])
    """

    _new_job = AsyncJob

    def __init__(self, base_url: str | None = None, api_key: str | None = None, *, retry_seconds: float = 60.0) -> None:
        """Make a client. The arguments are those of `Client`."""
        super().__init__(base_url, api_key, retry_seconds)
        self._http = httpx2.AsyncClient(limits=LIMITS)

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
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _take(self, steps: Steps[R]) -> R:
        take: Any = steps.send
        given: Any = None
        while True:
            try:
                step = take(given)
            except StopIteration as end:
                result: R = end.value
                return result
            try:
                take, given = steps.send, await self._done(step)
            except Exception as error:
                take, given = steps.throw, error

    async def _done(self, step: Request | Pause | Work) -> Any:
        match step:
            case Request():
                try:
                    return await self._http.request(**self.arguments(step))
                except httpx2.RequestError as error:
                    raise Unreachable(f"{self.url} gave no answer: {error or type(error).__name__}") from error
            case Pause():
                await asyncio.sleep(step.seconds)
            case Work():
                return await asyncio.to_thread(step.function)
        return None

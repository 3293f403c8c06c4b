"""`Client` for programs with threads, `AsyncClient` for programs with an event loop."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx2

from ovseg_client.calls import Calls
from ovseg_client.errors import Unreachable
from ovseg_client.job import AsyncJob, Job
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

"""Takes the steps of calls: sends requests, reads answers, pauses. One class for threads, one for an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, closing
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from ovseg_client.service import LIMITS, Service
from ovseg_client.steps import Emit, Emitting, Next, Open, Pause, Request, Step, Steps, Transfer, Work, emitted

R = TypeVar("R")
T = TypeVar("T")
ANY_SIZE = None  # of an event: that of a job's end has the whole result
PIECE_BYTES = 256 * 1024  # of a file that is sent


class Taker:
    """Takes steps in the caller's thread. Threads may share it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._http = httpx2.Client(limits=LIMITS)
        self.close = self._http.close

    def take(self, steps: Steps[R]) -> R:
        with closing(self.iterate(emitted(steps))) as values:
            return next(values)

    def iterate(self, steps: Emitting[T]) -> Generator[T, None, None]:
        take: Any = steps.send
        given: Any = None
        with ExitStack() as opened:
            pieces: Any = None
            while True:
                try:
                    step = take(given)
                except StopIteration:
                    return
                take, given = steps.send, None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    if isinstance(step, Open):
                        opened.close()
                        given = opened.enter_context(self._http.stream(**self._service.arguments(step.request)))
                        pieces = self._pieces(given, step)
                    else:
                        given = next(pieces, None) if isinstance(step, Next) else self._done(step)
                except Exception as error:
                    take, given = steps.throw, self._service.failure(error)

    def _pieces(self, answer: httpx2.Response, step: Open) -> Iterator[Any]:
        if not answer.is_success:
            answer.read()
        return iter(httpx2.EventSource(answer, ANY_SIZE)) if step.is_events else answer.iter_bytes()

    def _done(self, step: Step) -> Any:
        match step:
            case Request():
                return self._http.request(**self._service.arguments(step))
            case Transfer(content=Path() as path):
                with path.open("rb") as file:
                    return self._http.request(**self._service.foreign(step), content=file)
            case Transfer(content=bytes() as content):
                return self._http.request(**self._service.foreign(step), content=content)
            case Pause():
                return time.sleep(step.seconds)
            case Work():
                return step.function()


class AsyncTaker:
    """Takes steps in an event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._http = httpx2.AsyncClient(limits=LIMITS)
        self.close = self._http.aclose

    async def take(self, steps: Steps[R]) -> R:
        async with aclosing(self.iterate(emitted(steps))) as values:
            return await anext(values)

    async def iterate(self, steps: Emitting[T]) -> AsyncGenerator[T, None]:
        take: Any = steps.send
        given: Any = None
        async with AsyncExitStack() as opened:
            pieces: Any = None
            while True:
                try:
                    step = take(given)
                except StopIteration:
                    return
                take, given = steps.send, None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    if isinstance(step, Open):
                        await opened.aclose()
                        arguments = self._service.arguments(step.request)
                        given = await opened.enter_async_context(self._http.stream(**arguments))
                        pieces = await self._pieces(given, step)
                    else:
                        given = await (anext(pieces, None) if isinstance(step, Next) else self._done(step))
                except Exception as error:
                    take, given = steps.throw, self._service.failure(error)

    async def _pieces(self, answer: httpx2.Response, step: Open) -> AsyncIterator[Any]:
        if not answer.is_success:
            await answer.aread()
        return aiter(httpx2.EventSource(answer, ANY_SIZE)) if step.is_events else answer.aiter_bytes()

    async def _done(self, step: Step) -> Any:
        match step:
            case Request():
                return await self._http.request(**self._service.arguments(step))
            case Transfer(content=Path() as path):
                return await self._http.request(**self._service.foreign(step), content=_pieces_of(path))
            case Transfer(content=bytes() as content):
                return await self._http.request(**self._service.foreign(step), content=content)
            case Pause():
                return await asyncio.sleep(step.seconds)
            case Work():
                return await asyncio.to_thread(step.function)


async def _pieces_of(path: Path) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece

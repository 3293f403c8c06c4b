"""Segments many images with a bounded number of jobs at a time."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sized
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from ovseg_client import errors
from ovseg_client import image as images
from ovseg_client.image import Image
from ovseg_client.prompts import fields_of
from ovseg_client.result import Result
from ovseg_client.resume import ResumeFile, new_run

# Finished results wait for a slow consumer, or for an earlier image, in this many times the concurrency.
WINDOW = 4
END = object()


class Item:
    """An image with its own arguments of `segment`, which replace those of `map`.

    client.map([Item("a.jpg", boxes=[[1, 2, 3, 4]]), Item("b.jpg", text="dog")])
    """

    def __init__(self, image: Image, **arguments: Any) -> None:
        self.image = image
        self.arguments = arguments


@dataclass(frozen=True)
class Outcome:
    """What became of one image of `map`.

    Attributes:
        index: The position of the image, from 0.
        image: The image as it was given.
        result: The masks, or None.
        error: Why there is no result: a `JobFailed`, a refusal such as `InvalidRequest`, or an `ImageUnreadable`.
    """

    index: int
    image: Image
    result: Result | None
    error: errors.OvsegError | None


@dataclass(frozen=True)
class Sent:
    """An image to send: its place, its request, and how many attempts have ended."""

    index: int
    image: Image
    name: str
    fields: dict[str, Any]
    request: str
    attempts: int


Send = Callable[[str, Image, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Submits a job under an id, waits for its end, and returns the job object."""


@dataclass(frozen=True)
class Options:
    """How `map` runs; `Client.map` describes them."""

    concurrency: int
    ordered: bool
    resume: str | os.PathLike[str] | None
    progress: bool
    retry_failed: bool


async def outcomes(
    send: Send, images: Iterable[Image | Item], arguments: dict[str, Any], options: Options
) -> AsyncGenerator[Outcome, None]:
    """Yield the outcome of each image. If an error is not that of an image, it ends all others and is raised."""
    file = ResumeFile(options.resume) if options.resume is not None else None
    with file or nullcontext(), bar(options.progress, images) as count:
        run = Run(send, arguments, file, options.retry_failed)
        async with aclosing(run.outcomes(images, options.concurrency, options.ordered)) as stream:
            async for outcome in stream:
                count(outcome)
                yield outcome


class Run:
    """One call of `map`."""

    def __init__(self, send: Send, arguments: dict[str, Any], resume: ResumeFile | None, retry_failed: bool) -> None:
        self._send = send
        self._arguments = arguments
        self._resume = resume
        self._retry_failed = retry_failed
        self._name = resume.run if resume else new_run()

    async def outcomes(
        self, images: Iterable[Image | Item], concurrency: int, ordered: bool
    ) -> AsyncGenerator[Outcome, None]:
        slots = asyncio.Semaphore(concurrency)
        entries = enumerate(images)
        tasks: list[asyncio.Task[Outcome]] = []
        try:
            while True:
                while len(tasks) < WINDOW * concurrency:
                    entry: Any = await asyncio.to_thread(next, entries, END)
                    if entry is END:
                        break
                    tasks.append(asyncio.create_task(self._outcome(entry[0], entry[1], slots)))
                if not tasks:
                    return
                ready, _ = await asyncio.wait(tasks[:1] if ordered else tasks, return_when="FIRST_COMPLETED")
                for task in ready:
                    tasks.remove(task)
                    yield task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _outcome(self, index: int, given: Image | Item, slots: asyncio.Semaphore) -> Outcome:
        item = given if isinstance(given, Item) else Item(given)
        sent = self._sent(index, item)
        if self._resume and sent.attempts:
            outcome = _outcome_of(sent, self._resume.load(index))
            if outcome.error is None or not self._retry_failed:
                return outcome
        async with slots:
            return await self._end_of(sent)

    async def _end_of(self, sent: Sent) -> Outcome:
        attempt = sent.attempts + 1
        job_id = f"{self._name}-{sent.index}" + (f"-{attempt}" if attempt > 1 else "")
        try:
            record: dict[str, Any] = {"job": await self._send(job_id, sent.image, sent.fields)}
        except errors.ImageUnreadable as error:
            return Outcome(sent.index, sent.image, None, error)  # not recorded: the file may be mended
        except (errors.InvalidRequest, errors.NotFound, errors.Conflict) as error:
            record = {"refusal": {"status": error.status, "problem": dict(error.problem)}}
        if self._resume:
            self._resume.record(sent.index, attempt, sent.request, sent.name, record)
        return _outcome_of(sent, record)

    def _sent(self, index: int, item: Item) -> Sent:
        fields = fields_of(**{**self._arguments, **item.arguments})
        named = images.named(item.image)
        name = json.dumps(named) if named else images.path_of(item.image) or ""  # bytes and arrays have none
        request = json.dumps([name, fields], sort_keys=True)
        digest = hashlib.sha256(request.encode()).hexdigest()[:16]
        attempts = self._resume.attempts(index, digest) if self._resume else 0
        return Sent(index, item.image, name, fields, digest, attempts)


@contextmanager
def bar(is_shown: bool, images: Iterable[Any]) -> Iterator[Callable[[Outcome], None]]:
    """Yield a function that counts an outcome, on a progress bar if `is_shown`.

    Raises:
        ImportError: tqdm, which draws the bar, is not installed.
    """
    if not is_shown:
        yield lambda outcome: None
        return
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("tqdm draws the progress bar: pip install tqdm") from None
    failed = 0
    with tqdm(total=len(images) if isinstance(images, Sized) else None, unit="image") as drawn:

        def count(outcome: Outcome) -> None:
            nonlocal failed
            if outcome.error:
                failed += 1
                drawn.set_postfix(failed=failed, refresh=False)
            drawn.update()

        yield count


def _outcome_of(sent: Sent, record: dict[str, Any]) -> Outcome:
    """Return the outcome that a line of the resume file states."""
    if "refusal" in record:
        error: errors.OvsegError = errors.of_problem(**record["refusal"])
        return Outcome(sent.index, sent.image, None, error)
    if record["job"]["status"] != "succeeded":
        return Outcome(sent.index, sent.image, None, errors.JobFailed(record["job"]))
    return Outcome(sent.index, sent.image, Result(record["job"]), None)

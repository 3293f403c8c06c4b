"""Request bodies share a limited space, and threads work on a limited number of their bytes at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing, nullcontext, suppress
from typing import Any

import pytest
from werkzeug.exceptions import HTTPException, RequestTimeout, ServiceUnavailable

from gateway.server import upload
from gateway.server.turnstile import Turnstile
from gateway.server.upload import Receive, Shelf, Upload


def sent(*pieces: bytes, then: Callable[[], Any] | None = None, pause: float = 0) -> Receive:
    """Return a client that sends these pieces with a `pause` in between. With `then`, it waits for that after them."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        if not left:
            assert then is not None
            await then()
        elif len(left) < len(pieces):
            await asyncio.sleep(pause)
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left) or then is not None}

    return receive


Read = Callable[..., Coroutine[Any, Any, Upload]]


@pytest.fixture
def read() -> Iterator[Read]:
    """Return a function that reads a body from a client onto a shelf. All bodies are closed at the end of the test."""
    with ExitStack() as uploads:

        async def one(shelf: Shelf, receive: Receive, max_bytes: int = 1000, coding: bytes = b"chunked") -> Upload:
            upload = uploads.enter_context(closing(Upload(shelf, max_bytes)))
            await upload.read({b"transfer-encoding": coding}, receive)
            return upload

        yield one


def test_a_body_that_finds_no_space_evicts_the_one_that_has_been_arriving_longest(read: Read) -> None:
    async def scenario() -> None:
        shelf, never = Shelf(100), asyncio.Event()
        slow = [asyncio.create_task(read(shelf, sent(bytes(45), then=never.wait))) for _ in range(2)]
        await asyncio.sleep(0)
        quick = await read(shelf, sent(bytes(30), bytes(20)))
        with pytest.raises(ServiceUnavailable):
            await slow[0]
        assert not slow[1].done()
        assert quick.file.read() == bytes(50)
        slow[1].cancel()

    asyncio.run(scenario())


def test_a_whole_body_is_not_evicted_and_the_next_is_refused_until_there_is_space(read: Read) -> None:
    async def scenario() -> None:
        shelf = Shelf(100)
        whole = await read(shelf, sent(bytes(80)))
        with pytest.raises(ServiceUnavailable) as refusal:
            await read(shelf, sent(bytes(30)))
        assert refusal.value.retry_after
        assert whole.file.read() == bytes(80)
        whole.close()
        assert (await read(shelf, sent(bytes(100)))).size == 100

    asyncio.run(scenario())


def test_reading_stops_with_the_piece_that_exceeds_the_limit(read: Read) -> None:
    async def scenario() -> None:
        upload = await read(Shelf(1000), sent(bytes(10), bytes(10), bytes(500)), max_bytes=15)
        assert (upload.size, upload.is_whole) == (20, False)

    asyncio.run(scenario())


def test_the_deadline_grows_with_the_bytes_that_have_arrived(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 s alone are not enough for 20 MB at 64 kB/s."""
    monkeypatch.setattr(upload, "PIECE_BYTES", 50)
    monkeypatch.setattr(upload, "TOTAL_SECONDS", 0.2)

    async def scenario(bytes_per_second: int) -> int:
        monkeypatch.setattr(upload, "BYTES_PER_SECOND", bytes_per_second)
        return (await read(Shelf(100), sent(bytes(50), bytes(1), pause=0.5))).size

    assert asyncio.run(scenario(1)) == 51
    with pytest.raises(RequestTimeout):
        asyncio.run(scenario(1_000_000))


def test_a_byte_that_arrives_at_the_deadline_does_not_cancel_it(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PIECE_SECONDS", 0.1)
    loses_its_end = [False, True]

    async def receive() -> dict[str, Any]:
        with (
            suppress(asyncio.CancelledError) if loses_its_end.pop() else nullcontext()
        ):  # as asyncio.wait_for does then
            await asyncio.sleep(60)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def scenario() -> None:
        with pytest.raises(RequestTimeout):
            await asyncio.wait_for(read(Shelf(100), receive), 10)

    asyncio.run(scenario())


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity, chunked"])
def test_a_transfer_coding_besides_chunked_is_501(read: Read, coding: str) -> None:
    async def scenario() -> None:
        with pytest.raises(HTTPException) as refusal:
            await read(Shelf(100), sent(b""), coding=coding.encode())
        assert refusal.value.code == 501

    asyncio.run(scenario())


def test_large_bodies_pass_in_order_as_space_allows_and_small_ones_immediately() -> None:
    async def scenario() -> list[str]:
        turnstile, passed, gates = Turnstile(100, free_of_charge=10), [], [asyncio.Event() for _ in range(3)]

        async def work(name: str, size: int, gate: asyncio.Event) -> None:
            async with turnstile.passed(size):
                passed.append(name)
                await gate.wait()

        tasks = [asyncio.create_task(work(f"{i}: {size}", size, gates[i])) for i, size in enumerate((60, 60, 40))]
        await asyncio.sleep(0.01)
        async with turnstile.passed(10):
            passed.append("small")
        gates[0].set()
        await asyncio.sleep(0.01)
        for gate in gates:
            gate.set()
        await asyncio.gather(*tasks)
        return passed

    assert asyncio.run(scenario()) == ["0: 60", "small", "1: 60", "2: 40"]

"""The ASGI application that gunicorn's worker calls: it reads a request, lets Flask answer it, and sends the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any

from flask import Flask
from werkzeug.exceptions import BadRequest, HTTPException

from configs.settings import Settings
from gateway import handover
from gateway.hold import Hold
from gateway.live.stream import End, Stream
from gateway.server import environ as wsgi
from gateway.server.sending import COMMENT, Answer, Send, Sending
from gateway.server.turnstile import Turnstile
from gateway.server.upload import IN_MEMORY_BYTES, HungUp, Receive, Shelf, Upload

# The limit for all request bodies together: sixteen of the largest. In a container they are on a tmpfs, so they take
# this much memory there.
SHELF_BYTES = 512 * 1024**2
# The limit for all bodies that threads work on: parsing an image in base64 takes several times its size in memory.
IN_WORK_BYTES = 128 * 1024**2
# While an event stream waits for its answer or its next event, the client gets a comment this often: proxies often
# disconnect after 60 s without data, and some after 30 s.
COMMENT_SECONDS = 10.0

# These routes need neither Redis nor storage. They have their own thread, so they answer while all other threads wait.
PROBES = ("/healthz", "/health")


class Bridge:
    """Reads the whole request, computes the answer in a thread, and sends it; a long one piece by piece.

    A client that sends or reads slowly takes no thread. An answer that waits for an event takes none either: its view
    leaves a Hold and is called again when the hold is over. If the answer is an event stream, its status and headers
    are those of the view's first answer, and are sent with the first comment, or with the whole answer before that.
    Live events take no thread between two events either: they come from a Stream that the view leaves.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._live = app.extensions["ovseg"].live
        self._max_body_bytes = settings.max_body_bytes
        self._threads = ThreadPoolExecutor(settings.gateway_threads, "request")
        self._thread_for_probes = ThreadPoolExecutor(1, "probe")
        self._shelf = Shelf(max(SHELF_BYTES, self._max_body_bytes))
        self._turnstile = Turnstile(max(IN_WORK_BYTES, self._max_body_bytes), free_of_charge=IN_MEMORY_BYTES)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        upload = Upload(self._shelf, self._max_body_bytes)
        connection = scope["extensions"]["ovseg"]
        sending = Sending(send, connection["abort"])
        with suppress(HungUp):
            try:
                environ = await _request(scope, upload, receive)
                # A body that is not whole is refused without being parsed, so it is not counted.
                in_work = min(upload.size, self._max_body_bytes) if upload.is_whole else 0
                async with self._turnstile.passed(in_work):
                    answer = await self._run(environ)
            finally:
                upload.close()
            while (hold := handover.taken_hold(environ)) is not None:
                comments = hold.is_stream and scope["http_version"] != "1.0"  # which has no answers of unknown length
                async with aclosing(_pauses(hold, connection["hung_up"], comments)) as pauses:
                    async for _ in pauses:
                        handover.begin(environ)
                        await sending.comment(answer)
                answer = await self._run(environ)
            if (stream := handover.stream_of(environ)) is not None:
                await self._follow(answer, stream, sending, connection, is_last=scope["http_version"] == "1.0")
            elif answer.more is None:
                await sending.finish(answer, is_last=not upload.is_whole)
            else:
                await self._finish_long(answer, sending, connection["hung_up"], is_last=not upload.is_whole)

    async def _run(self, environ: dict[str, Any]) -> Answer:
        threads = self._thread_for_probes if environ["PATH_INFO"] in PROBES else self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, _call, self._app, environ)

    async def _follow(
        self, head: Answer, stream: Stream, sending: Sending, connection: dict[str, Any], is_last: bool
    ) -> None:
        """Send the messages of a stream as they come, and comments between them, until the stream ends."""

        async def next_piece() -> bytes | None:
            with suppress(TimeoutError):
                async with asyncio.timeout(COMMENT_SECONDS):
                    return await stream.next()
            return COMMENT

        stream.attach(connection["abort"])
        gone = asyncio.ensure_future(connection["hung_up"].wait())
        gone.add_done_callback(lambda _: stream.end(End.HUNG_UP))
        try:
            await sending.finish_long(head, next_piece, connection["hung_up"], is_last)
        finally:
            gone.cancel()
            stream.end(End.TOO_SLOW)
            self._live.close(stream)

    async def _finish_long(self, answer: Answer, sending: Sending, hung_up: asyncio.Event, is_last: bool) -> None:
        """Send an answer that is longer than memory. A thread makes each piece, and is free between them."""
        loop, pieces = asyncio.get_running_loop(), answer.more

        async def next_piece() -> bytes | None:
            return await loop.run_in_executor(self._threads, next, pieces, None)

        try:
            await sending.finish_long(answer, next_piece, hung_up, is_last)
        finally:
            await loop.run_in_executor(self._threads, pieces.close)


async def _request(scope: dict[str, Any], upload: Upload, receive: Receive) -> dict[str, Any]:
    """Return the request as a WSGI environ: with its whole body, or with the reason why it is refused."""
    try:
        environ = wsgi.of(scope)
        await upload.read(dict(scope["headers"]), receive)
    except BadRequest as refusal:
        environ = wsgi.of({**scope, "raw_path": b"/"})  # the target is invalid, so it is replaced
        handover.refuse(environ, refusal)
    except HTTPException as refusal:
        handover.refuse(environ, refusal)
    return environ | {"wsgi.input": upload.file, "CONTENT_LENGTH": str(upload.size), handover.CAN_HOLD: True}


def _call(app: Flask, environ: dict[str, Any]) -> Answer:
    """Return the application's answer. Runs in a thread."""
    started: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        started.update(status=int(status[:3]), headers=headers)
        return lambda data: None

    parts: Any = app(environ, start_response)
    if handover.is_long(environ):
        return Answer(**started, body=b"", more=parts)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    return Answer(**started, body=body)


async def _pauses(hold: Hold, hung_up: asyncio.Event, comments: bool) -> AsyncGenerator[None]:
    """Wait until the hold has ended, its time is up, or the client has hung up.

    With `comments`, yield each time that a comment is due meanwhile.
    """
    over, gone = asyncio.wrap_future(hold.over), asyncio.ensure_future(hung_up.wait())
    try:
        while (left := hold.until - time.monotonic()) > 0:
            pause = min(left, COMMENT_SECONDS) if comments else left
            done, _ = await asyncio.wait((over, gone), timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return
            if pause < left:
                yield
    finally:
        over.cancel()
        gone.cancel()

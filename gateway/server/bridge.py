"""The ASGI application that gunicorn's worker calls: it reads a request, lets Flask answer it, and sends the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.exceptions import BadRequest, HTTPException

from configs.settings import Settings
from gateway import handover
from gateway.hold import Hold
from gateway.server import environ as wsgi
from gateway.server.turnstile import Turnstile
from gateway.server.upload import IN_MEMORY_BYTES, HungUp, Receive, Shelf, Upload

Send = Callable[[dict[str, Any]], Awaitable[None]]

# The limit for all request bodies together: sixteen of the largest. In a container they are on a tmpfs, so they take
# this much memory there.
SHELF_BYTES = 512 * 1024**2
# The limit for all bodies that threads work on: parsing an image in base64 takes several times its size in memory.
IN_WORK_BYTES = 128 * 1024**2
# An answer is sent in pieces of this size, so that the server keeps no second copy of it for a slow reader.
PIECE_BYTES = 64 * 1024
# A client must read an answer within this time: a base, plus time for its size at the rate of a slow line.
ANSWER_SECONDS, ANSWER_BYTES_PER_SECOND = 30.0, 16 * 1024

# These routes need neither Redis nor storage. They have their own thread, so they answer while all other threads wait.
PROBES = ("/healthz", "/health")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Bridge:
    """Reads the whole request, computes the answer in a thread, and sends it.

    A client that sends or reads slowly takes no thread. An answer that waits for an event takes none either: its view
    leaves a Hold and is called again when the hold is over.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._max_body_bytes = settings.max_body_bytes
        self._threads = ThreadPoolExecutor(settings.gateway_threads, "request")
        self._thread_for_probes = ThreadPoolExecutor(1, "probe")
        self._shelf = Shelf(max(SHELF_BYTES, self._max_body_bytes))
        self._turnstile = Turnstile(max(IN_WORK_BYTES, self._max_body_bytes), free_of_charge=IN_MEMORY_BYTES)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        upload = Upload(self._shelf, self._max_body_bytes)
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
                await _until_over(hold, scope["extensions"]["ovseg"]["hung_up"])
                answer = await self._run(environ)
            await _send(answer, scope, send, is_last=not upload.is_whole)

    async def _run(self, environ: dict[str, Any]) -> Answer:
        threads = self._thread_for_probes if environ["PATH_INFO"] in PROBES else self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, _call, self._app, environ)


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
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    return Answer(**started, body=body)


async def _until_over(hold: Hold, hung_up: asyncio.Event) -> None:
    """Wait until the hold has ended, its time is up, or the client has hung up."""
    over, gone = asyncio.wrap_future(hold.over), asyncio.ensure_future(hung_up.wait())
    try:
        await asyncio.wait((over, gone), timeout=hold.until - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        over.cancel()
        gone.cancel()


async def _send(answer: Answer, scope: dict[str, Any], send: Send, is_last: bool) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if is_last:
        headers.append((b"connection", b"close"))
    try:
        async with asyncio.timeout(ANSWER_SECONDS + len(answer.body) / ANSWER_BYTES_PER_SECOND):
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            for at in range(0, len(answer.body) or 1, PIECE_BYTES):
                piece, is_more = answer.body[at : at + PIECE_BYTES], at + PIECE_BYTES < len(answer.body)
                await send({"type": "http.response.body", "body": piece, "more_body": is_more})
    except TimeoutError:
        scope["extensions"]["ovseg"]["abort"]()
        await asyncio.sleep(0)  # let gunicorn notice it

"""The service as a client sees it: its address, the API key, and how long a request is repeated."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx2

from ovseg_client.errors import OvsegError, Unreachable
from ovseg_client.event import Event
from ovseg_client.retries import Deadline, Outage, until_answered
from ovseg_client.steps import Emit, Emitting, Next, Open, Pause, Request, Steps, Transfer

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:8080"
CONNECT_SECONDS = 10.0
# Between two packets. The service answers in less; a request that waits for a job may take this much longer than that.
ANSWER_SECONDS = 30.0
# The service closes an idle connection after 5 seconds. A request on it then would fail and be repeated.
IDLE_SECONDS = 4.0
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)


class Service:
    """Builds the requests of both clients.

    The API key is a header of requests to the service, and of no others: not of those to the object storage. Redirects
    are not followed.
    """

    def __init__(self, base_url: str | None, api_key: str | None, retry_seconds: float) -> None:
        """Read what is not given from the environment: `OVSEG_URL` and `OVSEG_API_KEY`."""
        self.url = (base_url or os.environ.get("OVSEG_URL") or DEFAULT_URL).rstrip("/")
        self._key = key = os.environ.get("OVSEG_API_KEY", "") if api_key is None else api_key
        address = httpx2.URL(self.url)
        if address.userinfo:  # errors and logs contain the address
            raise OvsegError("the address of the service contains a user or a password: give an API key as api_key")
        if address.scheme not in ("http", "https") or not address.host:
            raise OvsegError(f"{self.url!r} is no address of a service, such as {DEFAULT_URL}")
        if key and not (key.isascii() and key.isprintable()):
            raise OvsegError("the API key contains characters that a key cannot have, such as a line break")
        self.retry_seconds = retry_seconds
        self._authorization = {"Authorization": f"Bearer {key}"} if key else {}

    def answer(self, request: Request | Transfer | Open, deadline: Deadline | None = None) -> Steps[httpx2.Response]:
        """The steps that return the answer to a request; that of `Open` is not read yet.

        Args:
            request: What is asked.
            deadline: The request is not repeated later than this.
        """
        return until_answered(request, self.retry_seconds, deadline or Deadline(None))

    def parsed(self, request: Request, deadline: Deadline | None = None) -> Steps[Any]:
        """The steps that return the body of an answer."""
        answer = yield from self.answer(request, deadline)
        try:
            return answer.json()
        except ValueError:
            raise OvsegError(
                f"{self.url} answered with something else than JSON: is it the address of ovseg?"
            ) from None

    def lines(self, request: Request, made: Callable[[Any], T]) -> Emitting[T]:
        """The steps that emit what is made of each line of an answer in JSON lines.

        The lines are first collected in a temporary file, because the service cuts off a client that reads slowly.

        Raises:
            Unreachable: The connection broke, and for `retry_seconds` no further line came.
        """
        with tempfile.TemporaryFile() as file:
            yield from self._collected(request, file)
            file.seek(0)
            for line in file:
                yield Emit(made(json.loads(line)))

    def _collected(self, request: Request, file: IO[bytes]) -> Steps[None]:
        """The steps that write the lines of an answer to a file; also over several connections, each line once."""
        known, outage = 0, Outage(self.retry_seconds)
        while True:
            yield from self.answer(Open(request))
            count, rest = 0, b""
            try:
                while (piece := (yield Next())) is not None:
                    *complete, rest = (rest + piece).split(b"\n")
                    for line in complete:
                        count += 1
                        if count > known:
                            file.write(line + b"\n")
                            known = count
                            outage.end()
                return
            except Unreachable as error:
                outage.check(error)

    def downloaded(self, request: Request, to: Path) -> Steps[None]:
        """The steps that write an answer to a file, which appears when it is complete.

        Raises:
            Unreachable: The connection broke, and again more than `retry_seconds` later.
        """
        outage = Outage(self.retry_seconds)
        part = to.with_name(f"{to.name}.part")
        while True:
            yield from self.answer(Open(request))
            try:
                with part.open("wb") as file:
                    while (piece := (yield Next())) is not None:
                        file.write(piece)
                part.replace(to)
                return
            except Unreachable as error:
                outage.check(error)

    def stream(self, path: str, last_event_id: str | None, of: str | None) -> Emitting[Event]:
        """The steps that emit the events of an event stream, and connect again when the connection ends.

        Args:
            path: Of the stream.
            last_event_id: The event to continue after.
            of: The id of the job or the batch, whose last event ends the stream.

        Raises:
            Unreachable: The connection broke, and for `retry_seconds` no further event came.
        """
        pause, outage = 1.0, Outage(self.retry_seconds)
        while True:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_event_id} if last_event_id else {})}
            answer = yield from self.answer(Open(Request("GET", path, headers=headers), is_events=True))
            if answer.status_code == HTTPStatus.NO_CONTENT:
                return
            try:
                while (sent := (yield Next())) is not None:
                    pause = pause if sent.retry is None else sent.retry / 1000
                    last_event_id = sent.id or last_event_id
                    if sent.data:
                        outage.end()
                        event = Event.of(json.loads(sent.data), sent.id or None)
                        yield Emit(event)
                        if event.ends(of):
                            return
            except Unreachable as error:
                outage.check(error)
            yield Pause(pause)

    def pages(self, path: str, name: str, query: Mapping[str, Any], made: Callable[[Any], T]) -> Emitting[T]:
        """The steps that emit what is made of each entry of a list, which is read page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = yield from self.parsed(Request("GET", path, {"limit": 100, **query, **cursor}))
            for entry in page[name]:
                yield Emit(made(entry))
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def failure(self, error: Exception) -> Exception:
        """Return the error of the client for an error of httpx2."""
        if not isinstance(error, httpx2.RequestError):
            return error
        try:
            where = error.request.url.netloc.decode()  # without the path: that of the storage has a signature
        except RuntimeError:  # the error has no request
            where = self.url
        unreachable = Unreachable(f"{where} gave no answer: {error or type(error).__name__}")
        unreachable.__cause__ = error
        return unreachable

    def foreign(self, transfer: Transfer) -> dict[str, Any]:
        """Return a request to another host as arguments for httpx2, without its content."""
        return {
            "method": transfer.method,
            "url": transfer.url,
            "headers": dict(transfer.headers),
            "timeout": httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        }

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return a request to the service as arguments for httpx2."""
        wait = float(request.query.get("wait", 0.0))
        return {
            "method": request.method,
            "url": self.url + request.path,
            "params": dict(request.query) or None,
            "headers": {**request.headers, **self._authorization},
            "json": request.json,
            "files": request.form,
            "content": request.content,
            "timeout": httpx2.Timeout(ANSWER_SECONDS, read=wait + ANSWER_SECONDS, connect=CONNECT_SECONDS),
        }


def path_of(kind: str, name: str) -> str:
    """Return the path of a thing: `path_of("jobs", id)`. The name cannot lead anywhere else."""
    return f"/v1/{kind}/{quote(name, safe='')}"

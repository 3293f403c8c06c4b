"""A client of event streams. It reads them as the HTML standard says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SECONDS = 30  # for which the client waits for a byte; a gateway sends a comment more often


class Event(NamedTuple):
    """One event; `type` is "message" if the stream names none."""

    type: str
    data: Any
    id: str | None


class EventStream:
    """An open event stream. `id` is that of its last event, `comments` how many comments have come."""

    def __init__(self, response: HTTPResponse) -> None:
        self.response = response
        self.id: str | None = None
        self.retry: int | None = None
        self.comments = 0

    def __iter__(self) -> Iterator[Event]:
        """Yield the events until the stream ends."""
        kind, data = "message", list[str]()
        while line := self.response.readline():
            field, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if line == b"\n":
                if data:
                    yield Event(kind, json.loads("\n".join(data)), self.id)
                kind, data = "message", []
            elif field == "event":
                kind = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.id = value
            elif field == "retry":
                self.retry = int(value)
            else:
                assert field == "", line
                self.comments += 1

    def next(self) -> Event:
        return next(iter(self))

    def types(self) -> list[str]:
        """Return the types of all events until the stream ends."""
        return [event.type for event in self]


@contextmanager
def opened(url: str, last_id: str | None = None, headers: Mapping[str, str] | None = None) -> Iterator[EventStream]:
    """Give the stream at an address, which continues after `last_id`."""
    address = urlsplit(url)
    with closing(HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)) as connection:
        sent = {**(headers or {}), **({"Last-Event-ID": last_id} if last_id else {})}
        connection.request("GET", f"{address.path}?{address.query}", headers=sent)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"].partition(";")[0] == "text/event-stream"
        yield EventStream(response)

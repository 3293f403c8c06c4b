"""The service as a client sees it: its address, the API key, and how long a request is repeated."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import httpx2

from ovseg_client.errors import OvsegError
from ovseg_client.retries import Deadline, until_answered
from ovseg_client.steps import Request, Steps

DEFAULT_URL = "http://127.0.0.1:8080"
CONNECT_SECONDS = 10.0
# Between two packets. The service answers in less; a request that waits for a job may take this much longer than that.
ANSWER_SECONDS = 30.0
# The service closes an idle connection after 5 seconds. A request on it then would fail and be repeated.
IDLE_SECONDS = 4.0
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_SECONDS)


class Service:
    """Builds the requests of both clients.

    The API key is a header of these requests, and of no others: not of links to object storage, which the clients open
    with a second pool of connections, and not of redirects, which are not followed.
    """

    def __init__(self, base_url: str | None, api_key: str | None, retry_seconds: float) -> None:
        """Read what is not given from the environment: `OVSEG_URL` and `OVSEG_API_KEY`."""
        self.url = (base_url or os.environ.get("OVSEG_URL") or DEFAULT_URL).rstrip("/")
        self._key = key = os.environ.get("OVSEG_API_KEY", "") if api_key is None else api_key
        if httpx2.URL(self.url).scheme not in ("http", "https") or not httpx2.URL(self.url).host:
            raise OvsegError(f"{self.url!r} is no address of a service, such as {DEFAULT_URL}")
        if key and not (key.isascii() and key.isprintable()):
            raise OvsegError("the API key contains characters that a key cannot have, such as a line break")
        self.retry_seconds = retry_seconds
        self._authorization = {"Authorization": f"Bearer {key}"} if key else {}

    def answer(self, request: Request, deadline: Deadline | None = None) -> Steps[httpx2.Response]:
        """The steps that return the answer to a request.

        Args:
            request: What is asked.
            deadline: The request is not repeated later than this.
        """
        seconds = deadline.left(self.retry_seconds) if deadline else self.retry_seconds
        return until_answered(request, seconds)

    def json(self, request: Request, deadline: Deadline | None = None) -> Steps[Any]:
        """The steps that return the body of an answer."""
        return (yield from self.answer(request, deadline)).json()

    def arguments(self, request: Request) -> dict[str, Any]:
        """Return a request as arguments for httpx2."""
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

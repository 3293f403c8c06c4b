"""Requests to image URLs and webhook URLs, in which a caller may name any host.

No URL may make the service send a request into its own network (server-side request forgery, CWE-918), and no server
may block the service. So only public addresses at ports 80 and 443 are dialled, and each address is checked when it is
dialled; a setting lists private hosts to trust. Redirects are followed here, not by libcurl, so that each one is
checked. One deadline and one limit on bytes apply to the whole fetch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

from configs import trusted_hosts
from configs.settings import Settings
from configs.trusted_hosts import Address
from ovseg_core.errors import OvsegError
from worker.outbound.exchange import Line, NoAnswer, Received, Refused, Request
from worker.outbound.public_address import is_public
from worker.outbound.web_url import WebUrl, check_parsed, check_url, forbidden, is_trusted

MAX_REDIRECTS = 3
REDIRECTS = frozenset([301, 302, 303, 307, 308])


@dataclass(frozen=True)
class Answer:
    """The answer to a POST. `start` has the first bytes of the body that arrived."""

    status: int
    retry_after: str | None
    start: bytes


class GuardedClient:
    """HTTP client for URLs from untrusted callers. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._idle: list[Line] = []

    def get(
        self,
        url: str,
        max_bytes: int,
        timeout_seconds: float,
        field: str,
        check: Callable[[], None] = lambda: None,
    ) -> bytes:
        """Fetch the body of a 200 answer, after at most three redirects, with its Content-Encoding decoded.

        `check` is called about twice a second; an exception that it raises ends the fetch.
        Raises OvsegError: `url_invalid`, `url_forbidden`, `url_unreachable` (no answer in time, or not a 200),
        `image_too_large`.
        """
        deadline = time.monotonic() + timeout_seconds
        target = check_url(url, field, self._settings)
        for _ in range(MAX_REDIRECTS + 1):
            request = Request(target, self._may_dial(target), deadline, max_bytes + 1, lambda status: status == 200)
            received = self._exchange(request, field, check)
            if received.status == HTTPStatus.OK and not received.can_be_decoded:  # often the file as it is
                received = self._exchange(replace(request, decodes=False), field, check)
            location = received.header("location")
            if received.status not in REDIRECTS or location is None:
                return _body(received, max_bytes, field)
            target = self._redirected(target, location, field)
        raise OvsegError("url_unreachable", f"more than {MAX_REDIRECTS} redirects", field)

    def post(
        self, url: str, body: bytes, headers: dict[str, str], timeout_seconds: float, field: str, answer_bytes: int = 0
    ) -> Answer:
        """Post once, follow no redirect, and read at most `answer_bytes` of the answer.

        Raises OvsegError as `get` does. An answer that ends early after its headers is no error: its status is known.
        """
        deadline = time.monotonic() + timeout_seconds
        target = check_url(url, field, self._settings, https_only=True)
        request = Request(target, self._may_dial(target), deadline, answer_bytes, lambda status: True, (body, headers))
        received = self._exchange(request, field, lambda: None)
        retry_after = received.header("retry-after")
        asked = None if retry_after is None else retry_after.decode("latin-1")
        return Answer(received.status, asked, bytes(received.body))

    def _redirected(self, url: WebUrl, location: bytes, field: str) -> WebUrl:
        """Return the redirect's target. Its errors say that the URL is not the caller's own. Raises OvsegError."""
        try:
            return check_parsed(url.redirected(location, field), field, self._settings)
        except OvsegError as error:
            raise OvsegError(error.code, f"the URL redirects to another: {error.message}", field) from error

    def _exchange(self, request: Request, field: str, check: Callable[[], None]) -> Received:
        line = self._idle_or_new()
        try:
            return line.exchange(request, check)
        except Refused:
            raise forbidden(request.url, field) from None
        except NoAnswer as why:
            raise OvsegError("url_unreachable", str(why), field) from why
        finally:
            with self._lock:
                self._idle.append(line)

    def _idle_or_new(self) -> Line:
        """Return the line used last, which is most likely still connected; a clogged line would delay this host."""
        with self._lock:
            free = next((line for line in reversed(self._idle) if not line.is_clogged), None)
            if free is not None:
                self._idle.remove(free)
        return free or Line()

    def _may_dial(self, url: WebUrl) -> Callable[[Address], bool]:
        """Any address if the host is trusted by name; otherwise public addresses and those of trusted networks."""
        if is_trusted(url, self._settings):
            return lambda address: True
        entries = self._settings.allowed_private_hosts
        return lambda address: is_public(address) or trusted_hosts.is_trusted(address, url.port, entries)


def _body(received: Received, max_bytes: int, field: str) -> bytes:
    """Return the whole body of a 200 answer. Raises OvsegError for any other answer."""
    if received.status != HTTPStatus.OK:
        raise OvsegError("url_unreachable", f"the URL answered {received.status}", field)
    if len(received.body) > max_bytes:
        raise OvsegError("image_too_large", f"the URL sends more than {max_bytes:,} bytes", field)
    if received.broke is not None:
        raise OvsegError("url_unreachable", received.broke, field)
    return bytes(received.body)

"""Requests to image URLs and webhook URLs, in which a client may name any host.

No URL may make the service send a request into its own network (server-side request forgery, CWE-918), and no server
may block the service. So only public addresses at ports 80 and 443 are dialled, and each address is checked when it is
dialled; the setting `allowed_private_hosts` lists exceptions. Redirects are followed here, not by libcurl, so that each
one is checked. One deadline and one limit on bytes apply to the whole fetch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType

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
    """The answer to a POST. `retry_after` is the header Retry-After; `start` is the first bytes of the body."""

    status: int
    retry_after: str | None
    start: bytes


class GuardedClient:
    """HTTP client for URLs from untrusted clients. Thread-safe."""

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
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        """Fetch the body of a 200 answer, after at most three redirects, with its Content-Encoding decoded.

        Args:
            url: An http or https URL.
            max_bytes: The largest body, counted after decoding.
            timeout_seconds: The time for the whole fetch, with all redirects.
            field: The field of the request that contains the URL, for errors.
            check: Called about twice a second. An exception that it raises ends the fetch.
            headers: Sent with the request. After a redirect to another scheme, host or port they are not sent: they may
                contain a token for the first one.

        Raises:
            OvsegError: `url_invalid`; `url_forbidden`; `url_unreachable` if there is no answer in time, or an answer
                that is not a 200; `image_too_large`.
        """
        deadline = time.monotonic() + timeout_seconds
        first = target = check_url(url, field, self._settings)
        for _ in range(MAX_REDIRECTS + 1):
            request = Request(target, self._may_dial(target), deadline, max_bytes + 1, lambda status: status == 200)
            if target.origin == first.origin:
                request = replace(request, headers=headers)
            received = self._exchange(request, field, check)
            if received.status == HTTPStatus.OK and not received.can_be_decoded:  # then the file is often not encoded
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

        An answer whose body is incomplete is no error, because its status is known. Raises OvsegError as `get` does.
        """
        deadline = time.monotonic() + timeout_seconds
        target = check_url(url, field, self._settings, https_only=True)
        request = Request(target, self._may_dial(target), deadline, answer_bytes, lambda status: True, body, headers)
        received = self._exchange(request, field, lambda: None)
        retry_after = received.header("retry-after")
        text = None if retry_after is None else retry_after.decode("latin-1")
        return Answer(received.status, text, bytes(received.body))

    def _redirected(self, url: WebUrl, location: bytes, field: str) -> WebUrl:
        """Return the target of a redirect. Raises OvsegError, whose message says that the URL is from a redirect."""
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
        except NoAnswer as error:
            raise OvsegError("url_unreachable", str(error), field) from error
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
        """Return a function that is True for an address of this URL's host that may be dialled.

        All addresses of a host that is trusted by name may be dialled. Of any other host, only public addresses and
        addresses in trusted networks may be dialled.
        """
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
    if received.error is not None:
        raise OvsegError("url_unreachable", received.error, field)
    return bytes(received.body)

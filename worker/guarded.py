"""The way out to strangers: image URLs and webhook URLs, which name whatever host their author likes.

A URL must not make us knock at our own doors (server-side request forgery, CWE-918). microsoft-antissrf resolves the
host, refuses it if any of its addresses is private, and connects to the very address it checked, so that a name
cannot mean something else a moment later. Added here: ports 80 and 443 only, no credentials in the URL, redirects
followed by hand so that each is checked, a cap on bytes and on the whole time, and a setting that names private
hosts to trust.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from AntiSSRF import AntiSSRFError, AntiSSRFPolicy, PolicyConfigOptions
from urllib3.exceptions import HTTPError, LocationParseError

from configs.settings import Settings
from ovseg_core.errors import OvsegError

MAX_REDIRECTS = 3
CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_SECONDS = 5.0
DEFAULT_PORTS = {"http": 80, "https": 443}
ALSO_REFUSED = ["::/96"]  # IPv4-compatible addresses: ::127.0.0.1
USER_AGENT = "ovseg (+https://github.com/ovseg/ovseg)"


def check_url(url: str, field: str, settings: Settings, https_only: bool = False) -> None:
    """What can be told of a URL without resolving its host; the rest is told when it is used.

    Raises OvsegError `url_invalid` or `url_forbidden`.
    """
    parts = _split(url, field)
    if _is_trusted(parts, settings):
        return
    if https_only and parts.scheme != "https":
        raise OvsegError("url_forbidden", "a webhook URL must be https", field)
    if _port(parts) not in DEFAULT_PORTS.values():
        raise OvsegError("url_forbidden", f"port {_port(parts)} is not allowed; use 80 or 443", field)
    host = parts.hostname or ""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            raise _forbidden(host, field) from None
    else:
        if not literal.is_global:
            raise _forbidden(host, field)


def host_of(url: str) -> str:
    """`host:port` of a URL that `check_url` has seen."""
    parts = _split(url, "url")
    return f"{parts.hostname}:{_port(parts)}"


@dataclass(frozen=True)
class Answer:
    """What came back from a post: `start` has the first bytes of the body, as far as they came."""

    status: int
    retry_after: str | None
    start: bytes


class GuardedClient:
    """Fetches and posts where strangers say. Thread-safe as far as requests' sessions are: for plain calls, it is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, url: str, max_bytes: int, timeout_seconds: float, field: str) -> bytes:
        """The body of a 200 answer, after at most three redirects.

        Raises OvsegError: `url_invalid`, `url_forbidden`, `url_unreachable` (no answer in time, or not a 200),
        `image_too_large`.
        """
        deadline = time.monotonic() + timeout_seconds
        for _ in range(MAX_REDIRECTS + 1):
            check_url(url, field, self._settings)
            with self._send("GET", url, deadline, field, headers={"Accept-Encoding": "identity"}) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status_code != 200:
                    raise OvsegError("url_unreachable", f"the URL answered {response.status_code}", field)
                return _read(response, max_bytes, deadline, field)
        raise OvsegError("url_unreachable", f"more than {MAX_REDIRECTS} redirects", field)

    def post(
        self, url: str, body: bytes, headers: dict[str, str], timeout_seconds: float, field: str, answer_bytes: int = 0
    ) -> Answer:
        """Post once, follow nothing, and read no more than `answer_bytes` of the answer.

        Raises OvsegError as `get` does; not where an answer that has begun breaks off, for its status is known.
        """
        check_url(url, field, self._settings, https_only=True)
        deadline = time.monotonic() + timeout_seconds
        headers = {**headers, "Accept-Encoding": "identity"}
        with self._send("POST", url, deadline, field, data=body, headers=headers) as response:
            start = _read_start(response, answer_bytes, deadline)
            return Answer(response.status_code, response.headers.get("Retry-After"), start)

    def _send(self, method: str, url: str, deadline: float, field: str, **kwargs: Any) -> requests.Response:
        parts = _split(url, field)
        session = self._trusting if _is_trusted(parts, self._settings) else self._wary
        left = max(deadline - time.monotonic(), 0.001)
        try:
            return session.request(
                method,
                url,
                allow_redirects=False,
                stream=True,
                timeout=(min(left, CONNECT_TIMEOUT_SECONDS), left),
                **kwargs,
            )
        except AntiSSRFError:
            raise _forbidden(str(parts.hostname), field) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise OvsegError("url_unreachable", _reason(error, str(parts.hostname)), field) from error

    @cached_property
    def _wary(self) -> requests.Session:
        policy = AntiSSRFPolicy(PolicyConfigOptions.EXTERNAL_ONLY_LATEST)
        policy.add_denied_addresses(ALSO_REFUSED)
        policy.allow_plain_text_http = True
        policy.add_xff_header = False
        return _plain(policy.get_antissrf_session())

    @cached_property
    def _trusting(self) -> requests.Session:
        return _plain(requests.Session())


def _plain(session: requests.Session) -> requests.Session:
    session.trust_env = False  # a proxy or a .netrc from the environment would lead around the check
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # one caller's host must not know the next
    session.headers["User-Agent"] = USER_AGENT
    return session


def _read(response: requests.Response, max_bytes: int, deadline: float, field: str) -> bytes:
    """The body, chunk by chunk as it comes: a server that sends a byte now and then is cut off at the deadline."""
    body = bytearray()
    try:
        while chunk := response.raw.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > max_bytes:
                raise OvsegError("image_too_large", f"the URL sends more than {max_bytes:,} bytes", field)
            if time.monotonic() > deadline:
                raise OvsegError("url_unreachable", "the URL did not send everything in time", field)
    except (HTTPError, OSError) as error:
        raise OvsegError("url_unreachable", f"the URL broke off: {error}", field) from error
    return bytes(body)


def _read_start(response: requests.Response, most_bytes: int, deadline: float) -> bytes:
    start = bytearray()
    try:
        while len(start) < most_bytes and time.monotonic() < deadline:
            chunk = response.raw.read1(most_bytes - len(start))
            if not chunk:
                break
            start += chunk
    except (HTTPError, OSError):
        pass  # a receiver that breaks off has answered all the same
    return bytes(start)


def _split(url: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except (ValueError, LocationParseError) as error:
        raise OvsegError("url_invalid", f"not a URL: {error}", field) from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise OvsegError("url_invalid", "must be an http or https URL with a host", field)
    if parts.username is not None:
        raise OvsegError("url_forbidden", "must not contain a user name or password", field)
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or DEFAULT_PORTS[parts.scheme]


def _is_trusted(parts: SplitResult, settings: Settings) -> bool:
    host = str(parts.hostname)
    return bool({host, f"{host}:{_port(parts)}"} & set(settings.allowed_private_hosts))


def _forbidden(host: str, field: str) -> OvsegError:
    return OvsegError("url_forbidden", f"{host} is not a public address", field)


def _reason(error: Exception, host: str) -> str:
    if isinstance(error, requests.Timeout):
        return f"{host} did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{host} has no valid certificate"
    return f"{host} cannot be reached"

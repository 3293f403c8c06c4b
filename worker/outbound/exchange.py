"""One HTTP request and its answer over libcurl, with a limit on time and bytes that no server can exceed.

libcurl has one deadline for the whole call: resolving, connecting, the TLS handshake, sending, every header, chunk line
and trailer. It limits the bytes of headers, decodes a content encoding piece by piece, and repeats a request if a
reused connection closed before an answer arrived. It calls this module to open every socket, so the address that is
checked is the address that is dialled (https://curl.se/libcurl/c/CURLOPT_OPENSOCKETFUNCTION.html).
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import certifi
import pycurl

from configs.trusted_hosts import Address
from worker.outbound.web_url import WebUrl

CONNECT_TIMEOUT_SECONDS = 5.0
# The pause between two calls of `check`: each one costs a call to Redis.
CHECK_SECONDS = 0.5
# The longest pause between two checks of the deadline. A socket that is ready ends the pause.
TICK_SECONDS = 0.05
# libcurl stops waiting for a name at the deadline, but its own thread continues to wait for the name server. Each line
# has 20 such threads, and a name may need two. Few resolvers wait longer than a minute.
MAX_UNRESOLVED = 5
RESOLVER_SECONDS = 60.0
USER_AGENT = "ovseg (+https://github.com/ovseg/ovseg)"
# The content encodings that libcurl can decode. Some servers name another one and send the file unchanged (S3 names
# `aws-chunked`).
DECODABLE = frozenset(["gzip", "x-gzip", "deflate", "br"])
PLAIN = frozenset(["", "identity", "none"])

REASONS = {
    pycurl.E_OPERATION_TIMEDOUT: "did not answer in time",
    pycurl.E_PEER_FAILED_VERIFICATION: "has no valid certificate",
    pycurl.E_SSL_CONNECT_ERROR: "breaks off the TLS handshake",
    pycurl.E_UNSUPPORTED_PROTOCOL: "does not answer in HTTP",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "does not answer in HTTP",
    pycurl.E_OK: "does not answer in HTTP",  # libcurl reports no error for such an answer
}
REASONS_OF_BODY = {
    pycurl.E_OPERATION_TIMEDOUT: "the URL did not send everything in time",
    pycurl.E_BAD_CONTENT_ENCODING: "what the URL sends is not in its Content-Encoding",
    pycurl.E_WRITE_ERROR: "what the URL sends goes on after the end of its Content-Encoding",
}


class Refused(Exception):
    """The address of a host must not be dialled."""


class NoAnswer(Exception):
    """The headers of an answer did not arrive completely. The message is the reason."""


@dataclass(frozen=True)
class Request:
    """A GET, or a POST if `post` holds a body, with these headers.

    `may_dial` returns True for an address that may be dialled. `deadline` is a time of time.monotonic(). At most
    `max_bytes` of the answer's body are read, counted after decoding, and none if `reads` returns False for the
    answer's status. `decodes` is False if the body must be read as it was sent.
    """

    url: WebUrl
    may_dial: Callable[[Address], bool]
    deadline: float
    max_bytes: int
    reads: Callable[[int], bool]
    post: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    decodes: bool = True


@dataclass
class Received:
    """An answer. `error` is the reason why the body is incomplete, None for a complete one.

    `headers` are in order of arrival, with names in lower case.
    """

    status: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    error: str | None = None

    def header(self, name: str) -> bytes | None:
        """Return the first header of this name, in lower case, or None."""
        return next((value for each, value in self.headers if each == name), None)

    @property
    def encodings(self) -> list[str]:
        """The content encodings in the order they were applied, without those that change nothing."""
        text = b",".join(value for name, value in self.headers if name == "content-encoding").decode("latin-1")
        encodings = [encoding.strip().lower() for encoding in text.split(",")]
        return [encoding for encoding in encodings if encoding not in PLAIN]

    @property
    def can_be_decoded(self) -> bool:
        """True if libcurl can decode all content encodings."""
        return DECODABLE.issuperset(self.encodings)


class SocketAddress(NamedTuple):
    """The socket that libcurl asks for, and the address that it will dial. pycurl passes a tuple with these fields."""

    family: int
    socktype: int
    protocol: int
    addr: tuple[str, int]


class Line:
    """A libcurl handle with its open connections. Runs one exchange at a time."""

    def __init__(self) -> None:
        self._curl = pycurl.Curl()
        self._multi = pycurl.CurlMulti()
        # Never freed: freeing it at the end of the process would wait for every name that is still being resolved.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._multi))
        # The ends of the last exchanges in which libcurl could not resolve the host in time.
        self._unresolved_at: deque[float] = deque(maxlen=MAX_UNRESOLVED)

    @property
    def is_clogged(self) -> bool:
        """True if another name might have to wait for names that are still being resolved."""
        is_full = len(self._unresolved_at) == MAX_UNRESOLVED
        return is_full and time.monotonic() - self._unresolved_at[0] < RESOLVER_SECONDS

    def exchange(self, request: Request, check: Callable[[], None]) -> Received:
        """Send a request and read its answer.

        `check` is called twice a second. An exception that it raises ends the exchange. Raises Refused and NoAnswer.
        """
        reading = _Reading(request)
        try:
            self._prepare(request, reading)
            code = self._run(reading, check)
        except (pycurl.error, UnicodeError) as error:  # for example a header that is not ASCII
            raise NoAnswer(f"{request.url.host} cannot be sent this request") from error
        finally:
            self._curl.reset()  # the connections stay open
            reading.close()
            if not reading.has_dialled:
                self._unresolved_at.append(time.monotonic())
        if reading.is_refused:
            raise Refused
        if not reading.has_headers:
            raise NoAnswer(f"{request.url.host} {REASONS.get(code, 'cannot be reached')}")
        if code != pycurl.E_OK and not reading.has_enough:
            reading.received.error = REASONS_OF_BODY.get(code, "the URL broke off")
        return reading.received

    def _run(self, reading: _Reading, check: Callable[[], None]) -> int:
        """Return libcurl's result code.

        This uses libcurl's multi interface, because the easy interface makes no callback while it resolves a name or
        does a TLS handshake.
        """
        self._multi.add_handle(self._curl)
        try:
            checked_at = time.monotonic()
            while self._multi.perform()[1]:
                self._multi.select(TICK_SECONDS)
                if time.monotonic() > checked_at + CHECK_SECONDS:
                    check()
                    checked_at = time.monotonic()
                if reading.is_refused:
                    break
            failed = self._multi.info_read()[2]
        finally:
            self._multi.remove_handle(self._curl)
        return int(next((code for _, code, _ in failed), pycurl.E_OK))

    def _prepare(self, request: Request, reading: _Reading) -> None:
        """Set the handle's options. By default libcurl uses no cookies, no .netrc, and follows no redirect."""
        seconds = max(request.deadline - time.monotonic(), 0.001)
        options = {
            pycurl.URL: str(request.url),
            pycurl.TIMEOUT_MS: max(int(seconds * 1000), 1),  # 0 would mean no limit
            pycurl.CONNECTTIMEOUT_MS: max(int(min(seconds, CONNECT_TIMEOUT_SECONDS) * 1000), 1),
            pycurl.NOSIGNAL: 1,
            pycurl.PROXY: "",  # a proxy from the environment would resolve the name, and no address would be checked
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
            pycurl.CAINFO: os.environ.get("SSL_CERT_FILE") or certifi.where(),
            pycurl.USERAGENT: USER_AGENT,
            pycurl.ACCEPT_ENCODING: "identity",  # an answer that is encoded anyway is decoded
            pycurl.HTTP_CONTENT_DECODING: int(request.decodes),
            pycurl.OPENSOCKETFUNCTION: reading.open_socket,
            pycurl.HEADERFUNCTION: reading.take_header,
            pycurl.WRITEFUNCTION: reading.take_body,
        }
        if request.post is not None:
            options[pycurl.POSTFIELDS] = request.post
        options[pycurl.HTTPHEADER] = ["Expect:", *(f"{name}: {value}" for name, value in request.headers.items())]
        for option, value in options.items():
            self._curl.setopt(option, value)


_REFUSED: int = pycurl.SOCKET_BAD
_STATUS = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})")


class _Reading:
    """The callbacks of libcurl for one exchange, and what they have received so far.

    A callback that returns 0, for no bytes taken, ends the exchange.
    """

    def __init__(self, request: Request) -> None:
        self.received = Received()
        self.has_headers = False
        self.has_enough = False
        self.is_refused = False
        self.has_dialled = False
        self._request = request
        self._sockets: list[socket.socket] = []

    def close(self) -> None:
        """Close our sockets. pycurl works with duplicates of them, which may stay open for the next exchange."""
        for each in self._sockets:
            each.close()

    def open_socket(self, purpose: int, address: SocketAddress) -> socket.socket | int:
        self.has_dialled = True
        if self.is_refused or not self._request.may_dial(ipaddress.ip_address(address.addr[0])):
            self.is_refused = True  # also refuses the host's other addresses, which libcurl tries next
            return _REFUSED
        try:
            self._sockets.append(socket.socket(address.family, address.socktype, address.protocol))
        except OSError:  # a kernel without IPv6
            return _REFUSED
        return self._sockets[-1]

    def take_header(self, line: bytes) -> int | None:
        if self.has_headers:  # it is a trailer
            return None
        if line.startswith(b"HTTP/"):
            status = _STATUS.match(line)
            self.received.status, self.received.headers = int(status[1]) if status else 0, []
        elif line.strip():
            name, _, value = line.partition(b":")
            self.received.headers.append((name.decode("latin-1").strip().lower(), value.strip()))
        elif self.received.status >= 200:
            # A reused connection opens no socket. Its host is resolved already, so it counts as dialled.
            self.has_headers = self.has_dialled = True
            return self._end_of_headers()
        return None

    def take_body(self, piece: bytes) -> int | None:
        room = self._request.max_bytes - len(self.received.body)
        self.received.body += piece[:room]
        if len(piece) < room:
            return None
        self.has_enough = True
        return 0

    def _end_of_headers(self) -> int | None:
        received, request = self.received, self._request
        if sum(encoding in DECODABLE for encoding in received.encodings) > 1:
            # Each encoding may expand its input a thousandfold, and only the output of the last one is counted.
            received.error = "the URL sends more than one Content-Encoding"
        can_be_read = received.error is None and (received.can_be_decoded or not request.decodes)
        if can_be_read and request.max_bytes > 0 and request.reads(received.status):
            return None
        self.has_enough = True
        return 0

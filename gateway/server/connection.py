"""A client's connection: its deadlines, its limits for headers and chunks, and how it is closed."""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.parser import LimitRequestHeaders, ParseError
from gunicorn.asgi.protocol import ASGIProtocol

from gateway import problem, request_id

log = logging.getLogger(__name__)

# A whole header must arrive within this time, from its first byte (or from the connection's start) to the empty line.
# Real clients send it in one piece.
HEADER_SECONDS = 10.0
# This is enough for many times the usual cookies and tokens, but not for 100 fields of 8 kB.
MAX_HEADER_BYTES = 64 * 1024
TOO_LONG = f"the header is longer than {MAX_HEADER_BYTES:,} bytes"
# Every chunk, even a tiny one, takes some microseconds of the event loop that all clients share. Therefore, after the
# first FREE_CHUNKS chunks, the mean size of a request's chunks must be at least MIN_CHUNK_BYTES.
FREE_CHUNKS, MIN_CHUNK_BYTES = 4096, 64
# After the last byte of an answer, the server reads and drops the client's data for this time. If it closed
# immediately, the kernel would send a reset, which may overtake the answer (RFC 9112, section 9.6).
LINGER_SECONDS = 2.0
# A client must read the last bytes of an answer within this time.
LAST_BYTES_SECONDS = 15.0


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's HTTP connection, with a deadline for each step and errors as JSON.

    It overrides private methods of gunicorn; pyproject.toml pins the major version that was tried.
    """

    _closed: bool

    def connection_made(self, transport: Any) -> None:
        self._header_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._hung_up = asyncio.Event()
        super().connection_made(transport)
        self._expect_header()
        self.worker.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_header_timer()
        self._hung_up.set()
        self.worker.forget(self)
        super().connection_lost(exc)
        if self._flow_control:  # otherwise an answer waits for the client until gunicorn cancels it, 3 s later
            self._flow_control.resume_writing()

    @property
    def is_reading(self) -> bool:
        """True while the server waits for the rest of a request, or for the first byte of one."""
        return self._current_request is None or not self._body_receiver._complete

    @property
    def is_busy(self) -> bool:
        """True while a request has arrived in part, or an answer has been sent in part."""
        has_begun = self._current_request is not None or self._header_bytes > 0
        return (has_begun and not self._closed) or self.transport.get_write_buffer_size() > 0

    def abort(self) -> None:
        """Close immediately and discard all unsent data."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._closed:  # data that arrives after closing is dropped
            super().data_received(data)

    def eof_received(self) -> bool:
        """Handle the end of what the client sends: refuse an incomplete request, and answer a held one now.

        The client may still read, or it may have hung up: both look the same until the server writes.
        """
        self._hung_up.set()
        if self.is_reading and self.is_busy:
            self._refuse(HTTPStatus.BAD_REQUEST, "the request is incomplete")
            return True
        return not self._closed and not self.is_reading

    def _feed_callback_parser(self, data: bytes) -> bool:
        is_header = self._current_request is None
        try:
            continues: bool = super()._feed_callback_parser(data)
        except ValueError:  # Python's int() refuses a number of 5,000 digits
            return self._refuse(HTTPStatus.BAD_REQUEST, "Content-Length has too many digits")
        if continues and is_header and self._current_request is None:
            self._header_bytes += len(data)
            if self._header_timer is None:
                self._expect_header()
            if self._header_bytes > MAX_HEADER_BYTES:
                return self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG)
        return continues

    def _refuse(self, status: HTTPStatus, reason: str) -> bool:
        """Answer an error and close. Returns False: gunicorn then parses no more data."""
        self._send_error_response(status, reason)
        self._close_transport()
        return False

    def _on_headers_complete(self) -> bool:
        self._stop_header_timer()
        self._header_bytes = self._chunks = self._chunk_bytes = 0
        if sum(len(name) + len(value) for name, value in self._callback_parser.headers) > MAX_HEADER_BYTES:
            raise LimitRequestHeaders(TOO_LONG)
        skips_body: bool = super()._on_headers_complete()
        return skips_body

    def _on_body(self, chunk: bytes) -> None:
        if self._callback_parser.is_chunked:
            self._chunks += 1
            self._chunk_bytes += len(chunk)
            if self._chunks > FREE_CHUNKS and self._chunk_bytes < self._chunks * MIN_CHUNK_BYTES:
                raise ParseError(f"more than {FREE_CHUNKS:,} chunks, of less than {MIN_CHUNK_BYTES} bytes on average")
        super()._on_body(chunk)

    def _expect_header(self) -> None:
        self._cancel_keepalive_timer()  # the keepalive timer is only for the pause between two requests
        self._header_timer = self.worker.loop.call_later(HEADER_SECONDS, self._time_out_header)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _time_out_header(self) -> None:
        if self._header_bytes:
            self._send_error_response(
                HTTPStatus.REQUEST_TIMEOUT, f"the header did not arrive within {HEADER_SECONDS:g} s"
            )
        self._keepalive_timeout()

    def _is_websocket_upgrade(self, request: Any) -> bool:
        return False  # a server may ignore Upgrade (RFC 9110, section 7.8), and this one supports no other protocol

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        is_last = self._hung_up.is_set() and not self._callback_parser.remaining()
        return is_last or bool(super()._will_close(request, response_requires_close))

    def _send_response_start(self, status: int, headers: Any, request: Any, close: bool = False) -> None:
        if request.version < (1, 1) and not close:  # otherwise an HTTP/1.0 client waits for the connection to close
            headers = [*headers, (b"Connection", b"keep-alive")]
        super()._send_response_start(status, headers, request, close)

    def _build_http_scope(self, *args: Any) -> dict[str, Any]:
        scope: dict[str, Any] = super()._build_http_scope(*args)
        scope["extensions"] = {"ovseg": {"abort": self.abort, "hung_up": self._hung_up}}
        return scope

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        """Answer bytes that are not a valid request. Flask never receives them."""
        if self._closed:
            return
        http, our_id = HTTPStatus(status), request_id.new()
        body = json.dumps(problem.of(http, problem.code_of(http), message) | {"request_id": our_id})
        head = {"Content-Type": problem.MEDIA_TYPE, "Content-Length": len(body), request_id.HEADER: our_id}
        head |= dict(extra_headers)
        lines = [f"HTTP/1.1 {status} {http.phrase}", *(f"{name}: {value}" for name, value in head.items())]
        self._safe_write("\r\n".join([*lines, "Connection: close", "", body]).encode("ascii"))
        log.info("invalid HTTP request: %d, %s, request %s", status, message, our_id)

    def _close_transport(self) -> None:
        if self.transport is None or self._closed:
            return
        self._closed = True
        if self.transport.is_closing():
            return
        try:
            self.transport.write_eof()
        except OSError:  # the client has just reset the connection
            self.abort()
            return
        self._resume_reading()
        self.worker.loop.call_later(LINGER_SECONDS, self._end_linger)
        self.worker.loop.call_later(LAST_BYTES_SECONDS, self.abort)

    def _end_linger(self) -> None:
        if self.transport.get_write_buffer_size() == 0:
            self.abort()

"""Web servers that delay a client by sending a little now and then, without end; each is an answer of `fakes.Host`."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

Answer = Callable[[BaseHTTPRequestHandler], None]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def drip(start: bytes, again: bytes, pause_seconds: float = 0.05) -> Answer:
    """Send `start`, then `again` repeatedly until the client hangs up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(start)
        while True:
            request.wfile.write(again)
            request.wfile.flush()
            time.sleep(pause_seconds)

    return answer


# Answers that are never complete, and answers whose headers arrive immediately.
WITHOUT_ANSWER = {
    "bytes of the status line": drip(b"HTTP/1.1 200 ", b"O"),
    "bytes of a header": drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
    "100 Continue": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "102 Processing": drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "nothing": drip(b"", b""),
}
WITH_ANSWER = {
    "bytes of a body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"x"),
    "digits of a chunk's size": drip(CHUNKED, b"0"),
    "bytes of a chunk's extension": drip(CHUNKED + b"5;", b"x"),
    "bytes of a trailer": drip(CHUNKED + b"5\r\nhello\r\n0\r\nX: ", b"x"),
    "trailers": drip(CHUNKED + b"5\r\nhello\r\n0\r\n", b"X: x\r\n"),
}
ALL = WITHOUT_ANSWER | WITH_ANSWER

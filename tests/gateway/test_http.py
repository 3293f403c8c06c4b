"""Bytes that are not HTTP, or ambiguous HTTP, are refused with the right status; what follows them is not read."""

from __future__ import annotations

import json
import re
import socket
from http.client import HTTPResponse

import pytest

from tests.support.lone_gateway import LoneGateway

POST = b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def exchange(gateway: LoneGateway, data: bytes) -> bytes:
    """Send bytes and return everything that the server sends before it closes the connection."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return answer


# fmt: off
REFUSED = {
    "a length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and a length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}", 400),
    "the same length twice": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a length with a sign": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "a length in hexadecimal": (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n\r\n{}", 400),
    "a length of 5,000 digits": (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", 400),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "a coding under the chunks": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "a coding without chunks": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "chunks in chunks": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded line": (POST + b"X: a\r\n Content-Length: 2\r\n\r\n{}", 400),
    "a line without a colon": (GET + b"nonsense\r\n\r\n", 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
    "a bare carriage return": (GET + b"X: a\rY: b\r\n\r\n", 400),
    "a null byte": (GET + b"X: a\0b\r\n\r\n", 400),
    "a name that is not a token": (GET + b"X(a): b\r\n\r\n", 400),
    "a size that is not a number": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", 400),
    "a size with 0x": (CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n", 400),
    "a size with a sign": (CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n", 400),
    "a negative size": (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", 400),
    "a size with a space": (CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n", 400),
    "a size with an underscore": (CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n", 400),
    "no size": (CHUNKED + b"\r\n{}\r\n0\r\n\r\n", 400),
    "a size line with a bare line feed": (CHUNKED + b"2\n{}\r\n0\r\n\r\n", 400),
    "a size line without end": (CHUNKED + b"0" * 20_000, 400),
    "more than its size": (CHUNKED + b"2\r\n{}x\r\n0\r\n\r\n", 400),
    "thousands of tiny chunks": (CHUNKED + b"1\r\n \r\n" * 5000 + b"0\r\n\r\n", 400),
    "half a header": (GET, 400),
    "half a body": (POST + b"Content-Length: 200\r\n\r\n{}", 400),
    "half a chunk": (CHUNKED + b"ff\r\n{}", 400),
    "no last chunk": (CHUNKED + b"2\r\n{}\r\n", 400),
    "101 fields": (GET + b"".join(b"X-%d: 1\r\n" % i for i in range(100)) + b"\r\n", 431),
    "a long field": (GET + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "a long header": (GET + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 8000) for i in range(9)) + b"\r\n", 431),
    "a long target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET + b"Host: localhost\r\n\r\n", 400),
    "another version": (b"GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a target with another scheme": (b"GET ftp://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a target without a host": (b"GET http:///healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a space in the target": (b"GET /healthz /x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
}
# fmt: on


INCOMPLETE = ("half a header", "half a body", "half a chunk", "no last chunk")


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_request_is_refused_and_nothing_after_it_is_read(gateway: LoneGateway, name: str) -> None:
    data, status = REFUSED[name]
    answer = exchange(gateway, data if name in INCOMPLETE else data + SMUGGLED)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    if name not in ("no host", "a target with another scheme", "a target without a host"):  # these are framed correctly
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"Connection: close" in head or b"connection: close" in head
        problem = json.loads(body)
        assert (problem["status"], problem["type"]) == (status, f"urn:ovseg:problem:{problem['code']}")


# fmt: off
ANSWERED = {
    "chunks": (CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 422),
    "chunks with an extension and a trailer": (CHUNKED + b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n", 422),
    "many tiny chunks": (CHUNKED + b"1\r\n \r\n" * 3000 + b"2\r\n{}\r\n0\r\n\r\n", 422),
    "HTTP/1.0 without a host": (b"GET /v1/jobs HTTP/1.0\r\n\r\n", 200),
    "a whole URL": (b"GET http://localhost/v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200),
    "an upgrade": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", 200),
    "an empty line before it": (b"\r\n" + GET + b"\r\n", 200),
    "a body where none is expected": (GET + b"Content-Length: 2\r\n\r\n{}", 200),
}
# fmt: on


@pytest.mark.parametrize("name", ANSWERED)
def test_unusual_but_valid_http_is_answered(gateway: LoneGateway, name: str) -> None:
    data, status = ANSWERED[name]
    answer = exchange(gateway, data)
    assert answer[9:12] == b"%d" % status, answer.decode() + gateway.log.read_text()[-3000:]


def test_a_header_that_is_too_long_is_refused_before_it_ends(gateway: LoneGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        client.sendall(GET + b"".join(b"X-%d: %s\r\n" % (i, b"a" * 8000) for i in range(9)))
        assert client.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_pipelined_requests_are_answered_in_order(gateway: LoneGateway) -> None:
    post = POST + b"Content-Length: 2\r\n\r\n{}"
    answer = exchange(gateway, post + GET + b"\r\n" + post + SMUGGLED)
    statuses = re.findall(rb"HTTP/1.1 (\d+) ", answer)
    assert statuses == [b"422", b"200", b"422", b"404"]


def test_an_http_1_0_client_that_asks_for_keep_alive_gets_it(gateway: LoneGateway) -> None:
    """Without the field the client waits for the end of the connection (RFC 9112, section 9.3)."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        for _ in range(2):
            client.sendall(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = HTTPResponse(client)
            answer.begin()
            assert answer.headers["Connection"] == "keep-alive"
            answer.read()  # it may come after its header, and must not be taken for the next answer
    closed = exchange(gateway, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert closed.count(b"Connection: ") == closed.count(b"Connection: close") == 1


def test_head_has_the_headers_of_get_and_no_body(gateway: LoneGateway) -> None:
    get = exchange(gateway, b"GET /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head = exchange(gateway, b"HEAD /v1/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert head.endswith(b"\r\n\r\n")
    length = [line for line in get.split(b"\r\n") if line.startswith(b"Content-Length")]
    assert length[0] in head


@pytest.mark.parametrize(("length", "first"), [(2, b"HTTP/1.1 100 "), (33_000_000, b"HTTP/1.1 413 ")])
def test_expect_100_continue_is_answered_with_100_or_with_413_for_a_body_too_large(
    gateway: LoneGateway, length: int, first: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
        assert client.recv(1000).startswith(first)


def test_a_client_that_is_still_sending_a_body_too_large_reads_413(gateway: LoneGateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
        client.sendall(POST + b"Content-Length: 40000000\r\n\r\n" + bytes(40_000_000))
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")

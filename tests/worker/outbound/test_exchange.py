"""The connections of fetches and deliveries: how often a request is sent, and what is left of it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from ovseg_core.errors import OvsegError
from tests.support import fakes
from tests.support.fakes import Host
from tests.support.outbound import LIMIT, SLACK_SECONDS, client, listening, read_request, taking_at_most


@pytest.mark.parametrize("flood", [b"X: x\r\n" * 1000, b"X: " + b"x" * 65536, b"HTTP/1.1 100 Continue\r\n\r\n" * 1000])
def test_endless_headers_end_the_fetch(flood: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"" if flood.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(flood)

    with listening(talk) as address, taking_at_most(SLACK_SECONDS), pytest.raises(OvsegError) as caught:
        client(address).get(f"http://{address}/", LIMIT, 600, "image")
    assert caught.value.code == "url_unreachable"


def test_a_request_on_a_reused_connection_that_was_closed_is_sent_once_more() -> None:
    requests: list[bytes] = []

    def answers_once(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        requests.append(read_request(connection))  # and hangs up

    with listening(answers_once) as address:
        fetching = client(address)
        for _ in range(3):
            assert fetching.get(f"http://{address}/", LIMIT, 10, "image") == b"hi"
    assert len(requests) == 5  # the second and the third were sent twice


def test_a_request_on_a_new_connection_is_sent_once() -> None:
    requests: list[bytes] = []

    def hangs_up(connection: socket.socket) -> None:
        requests.append(read_request(connection))

    with listening(hangs_up) as address, pytest.raises(OvsegError) as caught:
        client(address).get(f"http://{address}/", LIMIT, 10, "image")
    assert (caught.value.code, caught.value.message) == ("url_unreachable", "127.0.0.1 cannot be reached")
    assert len(requests) == 1


def test_a_request_that_cannot_be_sent_is_an_error(host: Host) -> None:
    with pytest.raises(OvsegError) as caught:
        client(host.address).post(host.url("/"), b"", {"name": "\u56fe"}, 10, "webhook.url")
    assert caught.value.code == "url_unreachable"


def test_exchanges_leave_no_file_open(host: Host) -> None:
    host.serve("/a.jpg", b"picture")
    fetching = client(host.address)
    fetching.get(host.url("/a.jpg"), LIMIT, 10, "image")
    before = open_files()
    for _ in range(50):
        fetching.get(host.url("/a.jpg"), LIMIT, 10, "image")
    assert open_files() <= before + 5  # the server's side of those that close


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_cookie_of_an_earlier_answer_is_sent(host: Host) -> None:
    host.answers["/a"] = lambda request: fakes.reply(request, 200, b"", {"Set-Cookie": "a=b; Path=/"})
    fetching = client(host.address)
    for _ in range(2):
        fetching.get(host.url("/a"), LIMIT, 10, "image")
    assert ["cookie" in received.headers for received in host.received] == [False, False]


def test_certificates_are_verified_with_the_authorities_of_ssl_cert_file(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            read_request(secure)
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with listening(talk) as address:
        with pytest.raises(OvsegError, match=r"127\.0\.0\.1 has no valid certificate"):
            client(address).get(f"https://{address}/", LIMIT, 10, "image")
        with authority.cert_pem.tempfile() as path:
            monkeypatch.setenv("SSL_CERT_FILE", path)
            assert client(address).get(f"https://{address}/", LIMIT, 10, "image") == b"hi"

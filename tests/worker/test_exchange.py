"""A server of a stranger cannot make a fetch or a delivery exceed its limits of time and bytes."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from tests.support import drips, fakes
from tests.support.fakes import Host
from tests.support.root import require_own_mounts
from worker.outbound.client import GuardedClient

LIMIT = 1_000_000
SLACK_SECONDS = 10  # for slow machines; the servers of these tests never finish an answer


class Stop(Exception):
    """The exception that `check` raises to end an exchange."""


def client(*trusted: str) -> GuardedClient:
    return GuardedClient(Settings(allowed_private_hosts=",".join(trusted)))


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run a server that calls `talk` with each connection, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=run, args=[connection], daemon=True).start()

        def run(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):  # the client hung up
                talk(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        request += piece
    return request


def says_nothing(connection: socket.socket) -> None:
    connection.recv(1)
    time.sleep(600)


@contextmanager
def taking_at_most(seconds: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds


# Time


@pytest.mark.parametrize("how", drips.ALL)
def test_a_fetch_from_a_slow_server_ends_in_time(how: str, host: Host) -> None:
    host.answers["/drip"] = drips.ALL[how]
    with taking_at_most(0.3 + SLACK_SECONDS), pytest.raises(OvsegError, match="in time") as caught:
        client(host.address).get(host.url("/drip"), LIMIT, 0.3, "image")
    assert caught.value.code == "url_unreachable"


@pytest.mark.parametrize("how", drips.WITHOUT_ANSWER)
def test_a_post_to_a_slow_server_ends_in_time(how: str, host: Host) -> None:
    host.answers["/drip"] = drips.ALL[how]
    with taking_at_most(0.3 + SLACK_SECONDS), pytest.raises(OvsegError, match="did not answer in time") as caught:
        client(host.address).post(host.url("/drip"), b"{}", {}, 0.3, "webhook.url", 1024)
    assert caught.value.code == "url_unreachable"


@pytest.mark.parametrize("how", drips.WITH_ANSWER)
def test_a_post_whose_answer_has_a_slow_body_ends_in_time(how: str, host: Host) -> None:
    host.answers["/drip"] = drips.ALL[how]
    with taking_at_most(0.3 + SLACK_SECONDS):
        answer = client(host.address).post(host.url("/drip"), b"{}", {}, 0.3, "webhook.url", 1024)
    assert answer.status == 200


def test_a_tls_handshake_that_stalls_ends_in_time() -> None:
    with listening(says_nothing) as address, taking_at_most(0.3 + SLACK_SECONDS):
        for fetch in (
            lambda: client(address).get(f"https://{address}/", LIMIT, 0.3, "image"),
            lambda: client(address).post(f"https://{address}/", b"{}", {}, 0.3, "webhook.url"),
        ):
            with pytest.raises(OvsegError, match="did not answer in time"):
                fetch()


def test_a_post_that_the_receiver_does_not_read_ends_in_time() -> None:
    left_in_time = pytest.raises(OvsegError, match="did not answer in time")
    with listening(says_nothing) as address, taking_at_most(0.3 + SLACK_SECONDS), left_in_time:
        client(address).post(f"http://{address}/", bytes(50_000_000), {}, 0.3, "webhook.url")


def test_all_redirects_share_the_deadline_of_one_fetch(host: Host) -> None:
    def slowly(request: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)
        fakes.reply(request, 302, b"", {"Location": "/again"})

    host.answers["/again"] = slowly
    with pytest.raises(OvsegError, match="did not answer in time"):
        client(host.address).get(host.url("/again"), LIMIT, 1.0, "image")
    assert len(host.received) <= 3  # a fourth redirect would be another error


@pytest.mark.parametrize("how", drips.ALL)
def test_check_can_interrupt_a_fetch(how: str, host: Host) -> None:
    host.answers["/drip"] = drips.ALL[how]
    with taking_at_most(SLACK_SECONDS), pytest.raises(Stop):
        client(host.address).get(host.url("/drip"), LIMIT, 600, "image", check=stop)


def test_check_can_interrupt_a_handshake() -> None:
    with listening(says_nothing) as address, pytest.raises(Stop):
        client(address).get(f"https://{address}/", LIMIT, 600, "image", check=stop)


def stop() -> None:
    raise Stop("stopped")


def test_the_connection_to_a_slow_server_is_closed(host: Host) -> None:
    hung_up = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        try:
            drips.WITHOUT_ANSWER["bytes of a header"](request)
        except OSError:
            hung_up.set()

    host.answers["/drip"] = answer
    with pytest.raises(OvsegError):
        client(host.address).get(host.url("/drip"), LIMIT, 0.3, "image")
    assert hung_up.wait(30)


# Size


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


# Content encodings


def compressed(wbits: int) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        compressor = zlib.compressobj(wbits=wbits)
        return compressor.compress(data) + compressor.flush()

    return compress


def encoded(host: Host, encoding: str, body: bytes) -> str:
    headers = {"Content-Encoding": encoding}
    host.answers["/encoded"] = lambda request: fakes.reply(request, 200, body, headers)
    return host.url("/encoded")


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", compressed(-15)),  # without the zlib header, as some servers send it
        ("br", lambda data: b"\x0b\x03\x80picture\x03"),
        ("identity", bytes),
        ("", bytes),
        ("aws-chunked", bytes),  # S3 stores this header with some uploads, whose bytes are not encoded
        ("utf-8", bytes),
    ],
)
def test_a_content_encoding_is_decoded(encoding: str, compress: Callable[[bytes], bytes], host: Host) -> None:
    url = encoded(host, encoding, compress(b"picture"))
    assert client(host.address).get(url, LIMIT, 10, "image") == b"picture"
    assert host.received[0].headers["accept-encoding"] == "identity"


def test_the_limit_on_bytes_applies_to_the_decoded_body(host: Host) -> None:
    url = encoded(host, "gzip", gzip.compress(bytes(LIMIT)))
    assert client(host.address).get(url, LIMIT, 30, "image") == bytes(LIMIT)
    url = encoded(host, "gzip", gzip.compress(bytes(LIMIT + 1)))
    with pytest.raises(OvsegError) as caught:
        client(host.address).get(url, LIMIT, 30, "image")
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip, deflate", zlib.compress), ("gzip,gzip", gzip.compress), ("gzip,,x-gzip", gzip.compress)],
)
def test_a_body_with_two_content_encodings_is_refused(
    encoding: str, compress: Callable[[bytes], bytes], host: Host
) -> None:
    """The bytes between the two encodings are not counted, and may be a thousand times as many."""
    url = encoded(host, encoding, compress(gzip.compress(b"picture")))
    with pytest.raises(OvsegError, match="more than one Content-Encoding"):
        client(host.address).get(url, LIMIT, 10, "image")


@pytest.mark.parametrize("transfer", [b"gzip, chunked", b"gzip, gzip, gzip, chunked", b"gzip"])
def test_a_compressed_transfer_encoding_ends_the_fetch(transfer: bytes, host: Host) -> None:
    bomb = gzip.compress(gzip.compress(gzip.compress(bytes(30_000_000), 1), 1), 1)
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + transfer + b"\r\n\r\n%x\r\n" % len(bomb) + bomb + b"\r\n0\r\n\r\n"
    host.answers["/transfer"] = lambda request: fakes.write(request, raw)
    with taking_at_most(SLACK_SECONDS), pytest.raises(OvsegError) as caught:
        client(host.address).get(host.url("/transfer"), LIMIT, 600, "image")
    assert caught.value.code == "url_unreachable"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"picture", "not in its Content-Encoding"),
        (gzip.compress(b"picture") + b"more", "goes on after the end of its Content-Encoding"),
    ],
)
def test_a_body_that_does_not_match_its_encoding_is_an_error(body: bytes, message: str, host: Host) -> None:
    with pytest.raises(OvsegError, match=message) as caught:
        client(host.address).get(encoded(host, "gzip", body), LIMIT, 10, "image")
    assert caught.value.code == "url_unreachable"


# Connections


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
    assert len(requests) == 5  # the second and the third request were sent twice


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
    assert open_files() <= before + 5  # connections that the server is still closing


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


# Names


SILENT_NAMES = """
import ctypes, socket, subprocess, sys, time
from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.outbound.client import GuardedClient

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # a name server that answers no question
server.bind(("127.1.2.3", 53))
with open(sys.argv[1], "w") as file:
    file.write("nameserver 127.1.2.3\\noptions timeout:30 attempts:2\\n")
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
with open(sys.argv[2], "w") as file:
    file.write("127.0.0.1 known.example\\n")
subprocess.run(["mount", "--bind", sys.argv[2], "/etc/hosts"], check=True)

class Stop(Exception):
    pass

def stop():
    raise Stop("stopped")

def outcome(ask):
    start = time.monotonic()
    try:
        ask()
    except (OvsegError, Stop) as error:
        print(error, "|", time.monotonic() - start)

client = GuardedClient(Settings())
for i in range(25):
    try:
        client.get(f"http://{i}.example/", 1, 0.01, "image")
    except OvsegError:
        pass
outcome(lambda: client.get("http://known.example/", 1, 600, "image"))
outcome(lambda: client.get("http://a.example/", 1, 0.3, "image"))
outcome(lambda: client.post("https://a.example/", b"{}", {}, 0.3, "webhook.url"))
outcome(lambda: client.get("http://a.example/", 1, 600, "image", stop))
"""


def test_a_silent_name_server_delays_no_one(tmp_path: Path) -> None:
    """Fetches end at their deadline or when canceled, a known host is fetched, and the process can end."""
    require_own_mounts()
    paths = [str(tmp_path / name) for name in ("resolv.conf", "hosts")]
    command = ["unshare", "--mount", sys.executable, "-c", SILENT_NAMES, *paths]
    with taking_at_most(3 * SLACK_SECONDS):
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    outcomes = [line.split(" | ") for line in ran.stdout.splitlines()]
    assert [message for message, _ in outcomes] == [
        "known.example is not a public address",  # this message means that the name was resolved
        "a.example did not answer in time",
        "a.example did not answer in time",
        "stopped",
    ]
    assert all(float(seconds) < SLACK_SECONDS for _, seconds in outcomes)

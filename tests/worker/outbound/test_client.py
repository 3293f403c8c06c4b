"""The guarded client against real servers on loopback, which it must not dial unless a setting allows it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from configs.settings import Settings
from ovseg_core.errors import OvsegError
from tests.support import fakes
from tests.support.fakes import Host
from tests.support.outbound import LIMIT, client
from worker.outbound.client import GuardedClient
from worker.outbound.web_url import check_url


def get(client: GuardedClient, url: str, max_bytes: int = LIMIT, seconds: float = 2.0) -> bytes:
    return client.get(url, max_bytes, seconds, "image")


def code_of(client: GuardedClient, url: str, seconds: float = 2.0) -> tuple[str, str]:
    with pytest.raises(OvsegError) as caught:
        get(client, url, seconds=seconds)
    assert caught.value.field == "image"
    return caught.value.code, caught.value.message


def test_a_file_of_a_trusted_host_is_fetched(host: Host) -> None:
    assert get(client(host.address), host.serve("/a.jpg", b"picture")) == b"picture"


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "0.0.0.0",
        "2130706433",
        "127.1",
        "0x7f.1",
    ],
)
def test_no_spelling_of_a_loopback_address_is_dialled(name: str) -> None:
    # port 80 is allowed, so only the address can be the reason for the refusal
    code, message = code_of(GuardedClient(Settings()), f"http://{name}/")
    assert (code, message) == ("url_forbidden", f"{name.strip('[]')} is not a public address")


def test_a_name_that_resolves_to_a_private_address_is_refused_when_used() -> None:
    name = socket.gethostname()
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    if not all(address.startswith(("127.", "10.", "172.", "192.168.", "::1", "fe80")) for address in addresses):
        pytest.skip("this machine's own name is a public address")
    check_url(f"http://{name}/", "image", Settings())  # no error before the name is resolved
    assert code_of(GuardedClient(Settings()), f"http://{name}/")[0] == "url_forbidden"


def test_a_redirect_to_an_allowed_address_is_followed(host: Host) -> None:
    host.serve("/a.jpg", b"picture")
    assert get(client(host.address), host.redirect("/moved", "/a.jpg")) == b"picture"


@pytest.mark.parametrize(
    "to", ["http://127.0.0.1:{port}/secret", "http://169.254.169.254/latest", "file:///etc/passwd"]
)
def test_a_redirect_to_a_forbidden_url_is_refused(to: str, host: Host) -> None:
    host.serve("/secret", b"secret")
    # the host is trusted under one name only, and the redirect uses another name of the same host
    trusting = client(f"localhost:{host.port}")
    host.redirect("/moved", to.format(port=host.port))
    code, message = code_of(trusting, f"http://localhost:{host.port}/moved")
    assert code in ("url_forbidden", "url_invalid")
    assert message.startswith("the URL redirects to another: ")  # the client's own URL is not the problem
    assert [request.path for request in host.received] == ["/moved"]


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/図é.jpg".encode(), "/%E5%9B%B3%C3%A9.jpg"),  # as browsers and curl request it
        (b"/%E5%9B%B3.jpg", "/%E5%9B%B3.jpg"),
        (b"/\xff\xfe.jpg", "/%FF%FE.jpg"),
        (b"/a b.jpg?c=d e", "/a%20b.jpg?c=d%20e"),
        (b"  /spaces.jpg  ", "/spaces.jpg"),
    ],
)
def test_the_location_of_a_redirect_may_be_utf_8_or_any_bytes(location: bytes, path: str, host: Host) -> None:
    host.serve(path, b"picture")
    host.answers["/moved"] = moved_to(location)
    assert get(client(host.address), host.url("/moved")) == b"picture"


@pytest.mark.parametrize(
    "location",
    [
        b"http://[",
        b"http://[::1",
        b"http://\xff\xfe/",
        b"http://a:b/",
        b"http://a:99999999/",
        b"//[",
        b"http://%/",
    ],
)
def test_a_broken_redirect_makes_the_url_invalid(location: bytes, host: Host) -> None:
    host.answers["/moved"] = moved_to(location)
    code, message = code_of(client(host.address), host.url("/moved"))
    assert code == "url_invalid"
    assert message.isprintable()
    assert message.startswith("the URL redirects to another: ")


@pytest.mark.parametrize("location", [b"http://[", b"\xff\xfe", b"http://a:b/"])
def test_a_broken_redirect_is_a_valid_answer_to_a_post(location: bytes, host: Host) -> None:
    host.answers["/hook"] = moved_to(location)
    assert client(host.address).post(host.url("/hook"), b"{}", {}, 20.0, "webhook.url", 1024).status == 302


def moved_to(location: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda request: fakes.write(request, b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n")


@pytest.mark.parametrize(
    "spelled", ["HTTP://{}/a.jpg", "  http://{}/a.jpg\r\n", "Http://{}/a.jpg#part", "http://{}/%61.jpg"]
)
def test_a_url_may_have_capitals_spaces_a_fragment_or_percent_encoding(spelled: str, host: Host) -> None:
    host.serve("/a.jpg", b"picture")
    host.serve("/%61.jpg", b"picture")
    assert get(client(host.address), spelled.format(host.address)) == b"picture"


def test_a_loop_of_redirects_is_an_error(host: Host) -> None:
    code, message = code_of(client(host.address), host.redirect("/round", "/round"))
    assert (code, message) == ("url_unreachable", "more than 3 redirects")
    assert len(host.received) == 4


@pytest.mark.parametrize("status", [204, 401, 404, 500, 503])
def test_an_answer_that_is_not_200_is_an_error_that_says_so(status: int, host: Host) -> None:
    assert code_of(client(host.address), host.serve("/a", b"", status=status)) == (
        "url_unreachable",
        f"the URL answered {status}",
    )


def test_a_body_longer_than_the_limit_is_an_error(host: Host) -> None:
    url = host.serve("/large", bytes(200_000))
    with pytest.raises(OvsegError) as caught:
        get(client(host.address), url, max_bytes=100_000)
    assert caught.value.code == "image_too_large"


def test_a_fetch_from_a_server_that_sends_single_bytes_ends_at_the_deadline(host: Host) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        for _ in range(1000):
            request.wfile.write(b".")
            request.wfile.flush()
            time.sleep(0.1)

    host.answers["/drip"] = drip
    start = time.monotonic()
    code, message = code_of(client(host.address), host.url("/drip"), seconds=2.0)
    assert (code, message) == ("url_unreachable", "the URL did not send everything in time")
    assert time.monotonic() - start < 30


def test_a_fetch_from_a_server_that_does_not_answer_ends_at_the_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        code, message = code_of(client(address), f"http://{address}/", seconds=0.5)
    assert (code, message) == ("url_unreachable", "127.0.0.1 did not answer in time")
    assert time.monotonic() - start < 30


def test_a_body_that_breaks_off_is_an_error(host: Host) -> None:
    host.answers["/half"] = fakes.break_off
    assert code_of(client(host.address), host.url("/half"))[0] == "url_unreachable"


def test_a_host_that_does_not_exist_is_an_error() -> None:
    assert code_of(client(), "http://no-such-host.invalid/a.jpg")[0] == "url_unreachable"


def test_a_proxy_from_the_environment_is_not_used(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name itself, and the address would not be checked."""
    monkeypatch.setenv("http_proxy", host.url(""))
    assert code_of(client(), "http://no-such-host.invalid/a.jpg")[0] == "url_unreachable"
    assert host.received == []


def test_a_webhook_must_be_https_unless_its_host_is_trusted(host: Host) -> None:
    with pytest.raises(OvsegError, match="must be https"):
        check_url("http://example.com/hook", "webhook.url", Settings(), https_only=True)
    check_url("https://example.com/hook", "webhook.url", Settings(), https_only=True)
    check_url(host.url("/hook"), "webhook.url", Settings(allowed_private_hosts=(host.address,)), https_only=True)


def test_a_post_follows_no_redirect(host: Host) -> None:
    host.serve("/elsewhere")
    url = host.redirect("/hook", "/elsewhere")
    assert client(host.address).post(url, b"{}", {}, 2.0, "webhook.url").status == 302
    assert [request.path for request in host.received] == ["/hook"]


def test_only_the_requested_bytes_of_the_answer_to_a_post_are_read(host: Host) -> None:
    hung_up = threading.Event()

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(500)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 1000)
        except OSError:
            hung_up.set()

    host.answers["/hook"] = endless
    answer = client(host.address).post(host.url("/hook"), b"{}", {}, 20.0, "webhook.url", answer_bytes=1024)
    assert (answer.status, answer.start) == (500, b"x" * 1024)
    assert hung_up.wait(20)


def test_an_incomplete_answer_to_a_post_counts(host: Host) -> None:
    host.answers["/hook"] = fakes.break_off
    answer = client(host.address).post(host.url("/hook"), b"{}", {}, 20.0, "webhook.url", answer_bytes=1024)
    assert (answer.status, answer.start) == (200, b"half")

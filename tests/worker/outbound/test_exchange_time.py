"""Whatever a stranger's server does, a fetch or a delivery ends in its time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ovseg_core.errors import OvsegError
from tests.support import drips, fakes
from tests.support.fakes import Host
from tests.support.outbound import LIMIT, SLACK_SECONDS, client, listening, says_nothing, taking_at_most
from tests.support.root import require_own_mounts

HEADERS_SECONDS = 2.0  # within which also a busy machine has the headers of an answer


class Stop(Exception):
    """The attempt is no longer wanted."""


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
    with taking_at_most(HEADERS_SECONDS + SLACK_SECONDS):
        answer = client(host.address).post(host.url("/drip"), b"{}", {}, HEADERS_SECONDS, "webhook.url", 1024)
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
    assert len(host.received) <= 3  # a fourth would be "more than 3 redirects"


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


SILENT_NAMES = """
import ctypes, socket, subprocess, sys, time
from configs.settings import Settings
from ovseg_core.errors import OvsegError
from worker.outbound.client import GuardedClient

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # is sent questions, and answers none
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
    """Neither a fetch beyond its time or a cancel, nor a fetch from a known host, nor the end of the process."""
    require_own_mounts()
    paths = [str(tmp_path / name) for name in ("resolv.conf", "hosts")]
    command = ["unshare", "--mount", sys.executable, "-c", SILENT_NAMES, *paths]
    with taking_at_most(3 * SLACK_SECONDS):
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    outcomes = [line.split(" | ") for line in ran.stdout.splitlines()]
    assert [said for said, _ in outcomes] == [
        "known.example is not a public address",  # so it was resolved
        "a.example did not answer in time",
        "a.example did not answer in time",
        "stopped",
    ]
    assert all(float(seconds) < SLACK_SECONDS for _, seconds in outcomes)

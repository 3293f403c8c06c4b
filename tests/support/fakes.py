"""Small real implementations of other parties: an image host, a webhook receiver."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.waiting import PATIENCE_SECONDS


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Host:
    """A web host on loopback. `answers` maps a path to the function that answers it; every request is recorded."""

    port: int = 0
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def serve(self, path: str, body: bytes = b"", content_type: str = "image/jpeg", status: int = 200) -> str:
        """Answer this path like this from now on. Return its URL."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            reply(request, status, body, {"Content-Type": content_type})

        self.answers[path] = answer
        return self.url(path)

    def serve_later(self, path: str, body: bytes) -> threading.Event:
        """Answer this path with an image from now on; each answer waits until the event is set."""
        release = threading.Event()

        def answer(request: BaseHTTPRequestHandler) -> None:
            release.wait(600)
            reply(request, 200, body, {"Content-Type": "image/jpeg"})

        self.answers[path] = answer
        return release

    def redirect(self, path: str, to: str) -> str:
        self.answers[path] = lambda request: reply(request, 302, b"", {"Location": to})
        return self.url(path)

    def wait_for(self, path: str, count: int = 1, seconds: float = PATIENCE_SECONDS) -> list[Received]:
        """Return the requests to a path, when there are `count` of them."""

        def of_path() -> list[Received]:
            return [r for r in self.received if r.path == path]

        with self.arrived:
            assert self.arrived.wait_for(lambda: len(of_path()) >= count, seconds), (
                f"{len(of_path())} requests to {path}"
            )
            return of_path()


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


def write(request: BaseHTTPRequestHandler, raw: bytes) -> None:
    """Write an answer as it is, HTTP or not."""
    request.wfile.write(raw)


def break_off(request: BaseHTTPRequestHandler) -> None:
    """An answer that ends long before its Content-Length: `half` of 1,000 bytes."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b"half")
    request.connection.close()


class Quiet(BaseHTTPRequestHandler):
    """One that writes no line for each request."""

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def host() -> Iterator[Host]:
    """Run a host while the block runs."""
    state = Host()

    class Handler(Quiet):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with state.arrived:
                headers = {name.lower(): value for name, value in self.headers.items()}
                state.received.append(Received(self.path, headers, body))
                state.arrived.notify_all()
            answer = state.answers.get(self.path)
            if answer is None:
                reply(self, 404, b"", {})
            else:
                answer(self)

        do_POST = do_GET

    with serving(Handler) as state.port:
        yield state


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """The port on loopback where this handler answers, for as long as the block runs."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # some tests are about clients that hang up, or are killed

    server = Server(("127.0.0.1", 0), handler)
    # the time between checks for a shutdown
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

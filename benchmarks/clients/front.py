"""A server between a client and the service: it speaks the client's wire format, counts requests and makes faults."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

from benchmarks.clients.wires import Answer, Request, Wire

RETRY_AFTER_SECONDS = 2
BUSY = json.dumps({"detail": "busy, try again"}).encode()


@dataclass
class Front:
    """Serves one client.

    Attributes:
        wire: The wire format of the client.
        faults: What happens to the next requests that submit a job, first to last: a status, which is answered in
            place of the service, or "cut", which closes the connection after the service has accepted the job.
        read_faults: The same for requests that read a job.
        seen: The requests so far, with the time of each.
    """

    wire: Wire
    url: str = ""
    certificate: Path | None = None
    faults: list[int | str] = field(default_factory=list)
    read_faults: list[int | str] = field(default_factory=list)
    seen: list[tuple[float, Request]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def times(self) -> list[float]:
        """Return when jobs were submitted."""
        return [at for at, request in self.seen if self.wire.submits(request)]

    def fault_of(self, request: Request) -> int | str | None:
        """Record a request and return what goes wrong with it."""
        with self.lock:
            self.seen.append((time.monotonic(), request))
            faults = self.faults if self.wire.submits(request) else self.read_faults if self.wire.reads(request) else []
            return faults.pop(0) if faults else None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, front: Front) -> None:
        self.front = front
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that are killed hang up


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request, front = Request(self.command, self.path, dict(self.headers), body), self.server.front
        fault = front.fault_of(request)
        if isinstance(fault, int):
            self._reply(Answer(fault, BUSY, {"Retry-After": str(RETRY_AFTER_SECONDS)}))
            return
        answer = front.wire.answer(request, front.url)
        if fault == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self._reply(answer)

    do_POST = do_PUT = do_DELETE = do_GET

    def _reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def serving(wire: Wire, folder: Path) -> Iterator[Front]:
    """Run a front while the block runs. `folder` gets its certificate, if the client requires https."""
    front = Front(wire)
    server = Server(front)
    front.url = f"{'https' if wire.needs_tls else 'http'}://127.0.0.1:{server.server_port}"
    if wire.needs_tls:
        front.certificate = folder / "authority.pem"
        server.socket = _with_certificate(front.certificate).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _with_certificate(authority_file: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(authority_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context

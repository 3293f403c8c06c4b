"""How a worker stores an object: with one short request, and through boto3's client if that request fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from configs.settings import Settings
from worker.store.storage import Storage


class Server(ThreadingHTTPServer):
    """Answers PUT requests with the given statuses, then with 200; 0 closes the connection instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def ways(self) -> list[str]:
        """Return how each request was made."""
        return ["client" if "amz-sdk-request" in headers else "direct" for _, headers, _ in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        assert isinstance(self.server, Server)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers, self.rfile.read(int(headers["content-length"]))))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def storage(server: Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return Storage(Settings(s3_endpoint_url=f"http://127.0.0.1:{server.server_port}", s3_bucket="bucket"))


def test_a_put_is_one_signed_request(server: Server, storage: Storage) -> None:
    storage.put("jobs/ü 1/result.json", b"body", "application/json")
    [(path, headers, body)] = server.seen
    assert (path, body) == ("/bucket/jobs/%C3%BC%201/result.json", b"body")
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=id/")
    assert (headers["content-type"], "expect" in headers) == ("application/json", False)
    assert server.ways == ["direct"]


@pytest.mark.parametrize("status", [500, 503, 0])
def test_after_a_passing_fault_the_client_stores_the_object_and_the_next_put_is_direct_again(
    server: Server, storage: Storage, status: int
) -> None:
    server.statuses = [status]
    storage.put("a", b"1", "text/plain")
    storage.put("b", b"2", "text/plain")
    assert server.ways == ["direct", "client", "direct"]


@pytest.mark.parametrize("status", [400, 403])
def test_after_a_refusal_only_the_client_is_used(server: Server, storage: Storage, status: int) -> None:
    server.statuses = [status]
    storage.put("a", b"1", "text/plain")
    storage.put("b", b"2", "text/plain")
    assert server.ways == ["direct", "client", "client"]


@pytest.mark.parametrize("bucket", ["arn:aws:s3:us-east-1:123456789012:accesspoint/one", "one--use1-az4--x-s3"])
def test_a_bucket_that_needs_another_signature_is_left_to_the_client(bucket: str) -> None:
    storage = Storage(Settings(s3_bucket=bucket))
    assert storage._direct is not None
    assert not storage._direct.put("a", b"1", "text/plain")

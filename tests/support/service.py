"""The service as a new user starts it: `ovseg up`, in one process with its own data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from ovseg.stack import free_port
from tests.support import contract

READY_SECONDS = 300


def _as_documented(answer: requests.Response) -> requests.Response:
    """Compare an answer with the OpenAPI document."""
    path = unquote(urlsplit(str(answer.request.url)).path)
    method, routes = str(answer.request.method), contract.gateway().url_map
    contract.check(routes, method, path, answer.status_code, answer.headers, answer.content)
    return answer


class Service:
    """A running `ovseg up`. `lines` is its output."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str] | None = None, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ovseg", "up", "--data-dir", str(data_dir), "--port", str(self.port)],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> Service:
        """Wait until the terminal reports that the service is ready, a moment after `/readyz` does."""
        deadline = time.monotonic() + READY_SECONDS
        while not any("Stop with Ctrl-C" in line for line in self.lines):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)
        return self

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz?workers=1", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def post(self, path: str, **kwargs: Any) -> requests.Response:
        return _as_documented(requests.post(self.url + path, timeout=90, **kwargs))  # longer than `?wait=60`

    def put(self, path: str, **kwargs: Any) -> requests.Response:
        return _as_documented(requests.put(self.url + path, timeout=90, **kwargs))

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return _as_documented(requests.get(self.url + path, timeout=90, **kwargs))

    def delete(self, path: str) -> requests.Response:
        return _as_documented(requests.delete(self.url + path, timeout=60))

    def submit(self, **fields: Any) -> dict[str, Any]:
        """Submit a job and return it. It must be accepted."""
        answer = self.post("/v1/jobs", json=fields)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def wait(self, job_id: str) -> dict[str, Any]:
        """Return the job when it has finished."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            job: dict[str, Any] = self.get(f"/v1/jobs/{job_id}", params={"wait": 60}).json()
            if job["completed_at"] is not None:
                return job
            assert time.monotonic() < deadline, (job, self.log())

    def stop(self) -> int:
        """Stop the service as Ctrl-C does. Return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self._ended()

    def kill(self) -> int:
        self.process.kill()
        return self._ended()

    def log(self) -> str:
        return "\n".join(self.lines[-200:])

    def stop_reading(self) -> None:
        """Read the rest of the output of a process that exited by itself."""
        self._reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _ended(self) -> int:
        code = self.process.wait(180)
        self.stop_reading()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

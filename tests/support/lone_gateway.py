"""A gateway without the rest of the service, with shorter time-outs; `python -m tests.support.lone_gateway` runs it.

`python -m tests.support.lone_gateway patient` has the usual time-outs. Its route /large/N answers with N bytes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from flask import Flask

from configs.settings import Settings
from gateway.server import bridge, connection, sending, upload
from ovseg.stack import free_port
from tests.support.waiting import PATIENCE_SECONDS

SECONDS = 4.0
ESTABLISHED, CLOSE_WAIT = "01", "08"  # in /proc/net/tcp


class LoneGateway:
    """A running gateway."""

    def __init__(self, settings: Settings, log: Path, is_patient: bool) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        given = {
            "OVSEG_REDIS_URL": settings.redis_url,
            "OVSEG_REDIS_PREFIX": settings.redis_prefix,
            "OVSEG_S3_ENDPOINT_URL": settings.s3_endpoint_url or "http://127.0.0.1:9",
            "OVSEG_S3_BUCKET": settings.s3_bucket,
            "OVSEG_GATEWAY_PORT": str(self.port),
            "OVSEG_GATEWAY_THREADS": str(settings.gateway_threads),
            "OVSEG_GATEWAY_ALLOWED_HOSTS": ",".join(settings.gateway_allowed_hosts),
        }
        with log.open("w") as lines:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.support.lone_gateway", *(["patient"] if is_patient else [])],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **given},
                stdout=lines,
                stderr=subprocess.STDOUT,
            )

    def wait_until_alive(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                requests.get(f"{self.url}/healthz", timeout=5)
                return
            except (requests.ConnectionError, requests.Timeout):
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)

    @property
    def worker(self) -> Path:
        """Return the folder in /proc of the process that answers."""
        [pid] = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return Path("/proc") / pid

    def status(self, name: str) -> int:
        """Return a number of /proc/PID/status: Threads, or VmRSS in kB."""
        [line] = [line for line in (self.worker / "status").read_text().splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1])

    def count_clients(self) -> int:
        """Return the number of connections to the gateway, including those that the client has closed."""
        table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        mine = [row for row in table if int(row[1].partition(":")[2], 16) == self.port]
        return sum(row[3] in (ESTABLISHED, CLOSE_WAIT) for row in mine)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running(settings: Settings, is_patient: bool = False) -> Iterator[LoneGateway]:
    with tempfile.TemporaryDirectory() as folder:
        gateway = LoneGateway(settings, Path(folder) / "log", is_patient)
        try:
            gateway.wait_until_alive()
            yield gateway
        finally:
            if gateway.process.poll() is None:
                gateway.end()


def main() -> None:
    from ovseg import log
    from ovseg.serve import Server

    class Hurried(Server):
        def load(self) -> Flask:
            app = super().load()
            app.add_url_rule("/large/<int:size>", view_func=lambda size: bytes(size))
            return app

    if "patient" not in sys.argv:
        connection.HEADER_SECONDS = upload.PIECE_SECONDS = sending.ANSWER_SECONDS = SECONDS
        sending.ANSWER_BYTES_PER_SECOND = 1024**3
        bridge.COMMENT_SECONDS = SECONDS / 16
    log.set_up()
    Hurried(Settings()).run()


if __name__ == "__main__":
    main()

"""How fast clients are answered while slow clients are connected: `python -m benchmarks.slow_clients`.

Runs a gateway alone, with the time-outs of the real one. Prints the 50th and 99th percentile of GET /healthz and of GET
/v1/jobs/ID, sent one after the other on a new connection each, and the gateway's memory, threads and share of a core.
The rows are: no other clients; 300 clients that hung up while they waited for a job; 300 that still wait; 300 of each
kind of slow client; 1,000 that wait.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import requests

from benchmarks.cpu_time import cpu_seconds
from configs.settings import Settings
from ovseg.child import Child
from ovseg.embedded import valkey
from tests.support import lone_gateway, slow_clients
from tests.support.lone_gateway import LoneGateway

SECONDS = 8.0  # less than the 10 s after which a slow client is disconnected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=300, help="clients of each kind")
    parser.add_argument("--waiting", type=int, default=1000, help="clients that wait, in the last row")
    given = parser.parse_args()
    with ExitStack() as cleanup:
        gateway = cleanup.enter_context(_gateway(cleanup))
        job = {"image": "https://example.com/a.jpg", "prompts": [{"box": [0, 0, 9, 9]}]}
        job = requests.post(f"{gateway.url}/v1/jobs", json=job, timeout=60).json()
        target = f"/v1/jobs/{job['id']}"
        titles = ("/healthz p50", "p99 ms", "/v1/jobs p50", "p99 ms")
        print(f"{'other clients':<32}" + "".join(f"{title:>13}" for title in titles) + "      MB threads   cores")
        _row("none", gateway, target)
        slow_clients.hang_up(gateway.port, f"{target}?wait=60", given.each)
        _row(f"{given.each} that hung up", gateway, target)
        with _waiting(gateway, f"{target}?wait=60", given.each):
            _row(f"{given.each} that wait", gateway, target)
        with slow_clients.crowd(gateway.port, given.each):
            _row(f"{given.each} of each of {len(slow_clients.BEGINNINGS)} slow kinds", gateway, target)
        time.sleep(5)
        with _waiting(gateway, f"{target}?wait=60", given.waiting):
            _row(f"{given.waiting} that wait", gateway, target)


def _row(others: str, gateway: LoneGateway, target: str) -> None:
    requests.get(f"{gateway.url}/healthz", timeout=60)  # by then it has accepted all earlier connections
    cpu, start = cpu_seconds(gateway.process.pid), time.perf_counter()
    times = [*_ask(gateway.url + "/healthz"), *_ask(gateway.url + target)]
    cores = (cpu_seconds(gateway.process.pid) - cpu) / (time.perf_counter() - start)
    costs = f"{gateway.status('VmRSS') / 1000:>8.0f}{gateway.status('Threads'):>8}{cores:>8.2f}"
    print(f"{others:<32}" + "".join(f"{ms:>13.1f}" for ms in times) + costs, flush=True)


def _ask(url: str) -> tuple[float, float]:
    """Return the 50th and 99th percentile, in ms."""
    times, until = [], time.monotonic() + SECONDS / 2
    while time.monotonic() < until:
        start = time.perf_counter()
        requests.get(url, timeout=60).raise_for_status()
        times.append((time.perf_counter() - start) * 1000)
        time.sleep(0.01)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


@contextmanager
def _waiting(gateway: LoneGateway, target: str, count: int) -> Iterator[None]:
    slow_clients.allow_files(count + 500)
    with ExitStack() as cleanup:
        for _ in range(count):
            client = cleanup.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=60))
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(2)
        yield


def _gateway(cleanup: ExitStack) -> AbstractContextManager[LoneGateway]:
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
    server = Child(valkey.command(folder), lambda label, line: None)
    cleanup.callback(lambda: server.end_by(time.monotonic() + 10))
    cleanup.callback(server.ask_to_end)
    while not valkey.is_ready(folder):
        time.sleep(0.05)
    return lone_gateway.running(Settings(redis_url=valkey.url(folder)), is_patient=True)


if __name__ == "__main__":
    main()

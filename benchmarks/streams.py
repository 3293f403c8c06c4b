"""What open event streams cost a gateway: `python -m benchmarks.streams`.

Runs one gateway process alone. Opens streams of one job, each from a connection of its own, and prints the gateway's
memory and share of a core while nothing happens; then the time from an event until the last client has it, and the CPU
time of the gateway for each event and client. The gateway and the clients share the machine's cores.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import statistics
import tempfile
import time
import uuid
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.cpu_time import cpu_seconds
from configs.settings import Settings
from ovseg.child import Child
from ovseg.embedded import valkey
from tests.support import lone_gateway, protocol, slow_clients
from tests.support.lone_gateway import LoneGateway
from worker.job.jobs import Jobs
from worker.store import queue
from worker.store.keyspace import Keyspace

IDLE_SECONDS = 20.0  # two comments to each client
LIMIT_SECONDS = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--events", type=int, default=20)
    given = parser.parse_args()
    slow_clients.allow_files(given.streams + 500)
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        child = Child(valkey.command(folder), lambda label, line: None)
        cleanup.callback(lambda: child.end_by(time.monotonic() + 30))
        cleanup.callback(child.ask_to_end)
        while not valkey.is_ready(folder):
            time.sleep(0.1)
        settings = Settings(redis_url=valkey.url(folder), s3_endpoint_url="http://127.0.0.1:9")
        gateway = cleanup.enter_context(lone_gateway.running(settings, is_patient=True))
        keyspace = cleanup.enter_context(Keyspace.open(settings))
        _measure(gateway, Jobs(keyspace, queue.create(settings), settings), given.streams, given.events)


def _measure(gateway: LoneGateway, jobs: Jobs, count: int, events: int) -> None:
    job = protocol.begin(jobs, protocol.accepted(jobs, str(uuid.uuid4()), protocol.request()).id)
    with closing(Crowd(gateway.port, f"/v1/jobs/{job.id}/events")) as crowd:
        crowd.grow(1)
        memory = gateway.status("VmRSS")
        cpu, start = cpu_seconds(gateway.process.pid), time.perf_counter()
        crowd.grow(count)
        opening, elapsed = cpu_seconds(gateway.process.pid) - cpu, time.perf_counter() - start
        print(f"{count:,} streams opened in {elapsed:.1f} s, {opening / count * 1000:.1f} ms of CPU time each")
        print(f"memory: {(gateway.status('VmRSS') - memory) / count:.0f} kB each, {gateway.status('Threads')} threads")
        cpu, start = cpu_seconds(gateway.process.pid), time.perf_counter()
        crowd.read_for(IDLE_SECONDS)
        idle = (cpu_seconds(gateway.process.pid) - cpu) / (time.perf_counter() - start)
        print(f"while nothing happens: {idle * 100:.1f} % of a core, for a comment to each every 10 s")
        cpu, latencies = cpu_seconds(gateway.process.pid), list[float]()
        for number in range(events):
            start = time.perf_counter()
            jobs.report_progress(job, number, events)
            crowd.read_until(b"event: job.progress", number + 1)
            latencies.append((time.perf_counter() - start) * 1000)
        each = (cpu_seconds(gateway.process.pid) - cpu) / events / count * 1e6
        middle, longest = statistics.median(latencies), max(latencies)
        print(f"an event to all: {middle:.0f} ms (median of {events}), at most {longest:.0f} ms")
        print(f"an event: {each:.0f} us of CPU time for each client")


class Crowd:
    """Clients that follow one stream each, all in one thread."""

    def __init__(self, port: int, target: str) -> None:
        self._port, self._target = port, target
        self._selector = selectors.DefaultSelector()
        self._seen: dict[socket.socket, bytearray] = {}

    def grow(self, count: int) -> None:
        """Open streams until there are `count`, and read the first event of each."""
        while len(self._seen) < count:
            client = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            client.sendall(f"GET {self._target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ)
            self._seen[client] = bytearray()
        self.read_until(b"event: job.state", 1)

    def read_until(self, text: bytes, times: int) -> None:
        """Read until each client has got a text this many times."""
        waiting = {client for client, seen in self._seen.items() if seen.count(text) < times}
        until = time.monotonic() + LIMIT_SECONDS
        while waiting:
            assert time.monotonic() < until, f"{len(waiting)} clients lack {text!r}"
            for client in self._read(1.0):
                if self._seen[client].count(text) >= times:
                    waiting.discard(client)

    def read_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def close(self) -> None:
        for client in self._seen:
            client.close()

    def _read(self, seconds: float) -> list[socket.socket]:
        """Return the clients that have got something, after at most this time."""
        ready = []
        for key, _ in self._selector.select(seconds):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            piece = client.recv(65536)
            assert piece, "a stream has ended"
            self._seen[client] += piece
            ready.append(client)
        return ready


if __name__ == "__main__":
    main()

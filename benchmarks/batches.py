"""What a batch of 100,000 items costs: `python -m benchmarks.batches`.

Sends a manifest to a gateway as JSON lines, and sends it again. Then threads of this process end jobs as workers do,
without any images, and the batch is canceled half-way. Prints for each step the time, the CPU time and the growth of
the gateway's memory, and the memory that Redis uses for each item.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from configs.settings import Settings
from ovseg.child import Child
from ovseg.embedded import valkey
from ovseg.embedded.seaweedfs import BUCKET, Seaweedfs
from tests.support import lone_gateway
from tests.support.lone_gateway import LoneGateway
from worker.services import Services
from worker.store import queue

THREADS = 4  # that end jobs
PICTURE = {"width": 640, "height": 480, "format": "JPEG"}
CLEAR_PEAK = "5"  # linux: writing it to clear_refs resets VmHWM, the peak of the memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    given = parser.parse_args()
    with ExitStack() as cleanup:
        settings = _servers(cleanup)
        gateway = cleanup.enter_context(lone_gateway.running(settings, is_patient=True))
        services = Services(settings)
        url, manifest = f"{gateway.url}/v1/batches/bench", _manifest(given.items)
        print(f"{given.items:,} items, {len(manifest) / 1e6:.1f} MB of JSON lines")
        empty = _used(services)
        for title in ("submitted", "sent again"):
            with _measured(title, gateway):
                batch = _sent(url, manifest)
            assert batch["counts"]["total"] == given.items, batch
            print(f"{'':<16}{(_used(services) - empty) / given.items:>8.0f} bytes of Redis for each item")
        waiting = _used(services)
        with _measured("half ended", gateway):
            ended = _end(services, given.items // 2)
        jobs = services.keyspace.redis.zcard(services.keyspace.key("batch_jobs:bench"))
        print(f"{'':<16}{(_used(services) - waiting) / jobs:>8.0f} more bytes of Redis for each item with a job")
        with _measured("listed", gateway):
            assert _listed(gateway) >= ended
        with _measured("canceled", gateway):
            requests.post(f"{url}/cancel", timeout=60).raise_for_status()
            _until(services, lambda: requests.get(url, timeout=60).json()["is_final"])
        counts = requests.get(url, timeout=60).json()["counts"]
        print({name: count for name, count in counts.items() if count})
        assert counts["total"] == counts["succeeded"] + counts["canceled"] == given.items


def _servers(cleanup: ExitStack) -> Settings:
    """Start Valkey and SeaweedFS. Return the settings of a service that uses them."""
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="ovseg-bench-")))
    weed = Seaweedfs(folder / "seaweedfs")
    for command in (valkey.command(folder / "valkey"), weed.command()):
        child = Child(command, lambda label, line: None)
        cleanup.callback(child.end_by, time.monotonic() + 3600)
        cleanup.callback(child.ask_to_end)
    os.environ.update(weed.credentials)
    while not (valkey.is_ready(folder / "valkey") and weed.is_ready()):
        time.sleep(0.1)
    return Settings(redis_url=valkey.url(folder / "valkey"), s3_endpoint_url=weed.endpoint_url, s3_bucket=BUCKET)


def _manifest(count: int) -> bytes:
    def item(n: int) -> dict[str, Any]:
        box = [n % 300, n % 200, n % 300 + 40, n % 200 + 60]
        return {"id": f"train/{n:06}.jpg", "image": f"https://example.com/train/{n:06}.jpg", "prompts": [{"box": box}]}

    head = {"defaults": {"model": "SAM-Lite", "outputs": ["rle"], "metadata": {"set": "train"}}}
    return "\n".join(json.dumps(line) for line in (head, *map(item, range(count)))).encode()


def _sent(url: str, manifest: bytes) -> dict[str, Any]:
    answer = requests.put(url, manifest, headers={"Content-Type": "application/x-ndjson"}, timeout=3600)
    answer.raise_for_status()
    batch: dict[str, Any] = answer.json()
    return batch


def _end(services: Services, count: int) -> int:
    """Make jobs of the items, and end them, until `count` have ended. Return how many have."""
    left = threading.Semaphore(count)

    def work() -> None:
        while left.acquire(blocking=False):
            while (job := services.jobs.begin(queue.QUEUE_OF_DEVICE["auto"], "bench")) is None:
                time.sleep(0.01)
            services.jobs.succeed(job, PICTURE, {"encode": 51.2, "decode": 8.1}, 1)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    _until(services, lambda: not any(thread.is_alive() for thread in threads))
    return count


def _until(services: Services, is_over: Callable[[], bool]) -> None:
    """Sweep as a reaper does, until something is over."""
    while not is_over():
        services.feeder.sweep()
        time.sleep(0.1)


def _listed(gateway: LoneGateway) -> int:
    count = 0
    cursor: str | None = ""
    while cursor is not None:
        answer = requests.get(
            f"{gateway.url}/v1/jobs?batch=bench&limit=100{cursor and f'&cursor={cursor}'}", timeout=60
        )
        page = answer.json()
        count, cursor = count + len(page["jobs"]), page["next_cursor"]
    return count


def _used(services: Services) -> int:
    return int(services.keyspace.redis.info("memory")["used_memory"])


@contextmanager
def _measured(title: str, gateway: LoneGateway) -> Iterator[None]:
    """Print how long a step takes, and what it costs the gateway."""
    process = psutil.Process(int(gateway.worker.name))
    (gateway.worker / "clear_refs").write_text(CLEAR_PEAK)
    before, cpu, start = gateway.status("VmRSS"), process.cpu_times(), time.monotonic()
    yield
    seconds, after = time.monotonic() - start, process.cpu_times()
    growth = (gateway.status("VmHWM") - before) / 1000
    spent = after.user + after.system - cpu.user - cpu.system
    print(f"{title:<16}{seconds:>8.1f} s; gateway: {spent:.1f} s of CPU time, at most {growth:.0f} MB more memory")


if __name__ == "__main__":
    main()

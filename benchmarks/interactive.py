"""How long a click takes while many images wait: `python -m benchmarks.interactive`.

Starts its own stack with SAM-Lite. Each round measures
- clicks alone: on a known image, which the request names by its digest; one POST that waits for the result;
- bulk alone: jobs with distinct images, of which some hundreds wait;
- both.
Prints the 50th, 95th and 99th percentile of a click, the finished bulk jobs per second, and the CPU time of each
process of the stack for each finished job. Other programs on the machine slow all rows down, so compare the clicks of
one round with each other; the CPU time hardly depends on them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.cpu_time import cpu_seconds
from benchmarks.service import photo, session
from configs.settings import Settings
from ovseg.stack import Plan, Stack, free_port, running
from worker.store.keyspace import Keyspace

PAUSE_SECONDS = 0.3  # between a click's answer and the next click
SHARES = (0.5, 0.95, 0.99)  # the percentiles that are printed
SUBMITTERS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500, help="images that wait in bulk when a measurement begins")
    parser.add_argument("--seconds", type=float, default=20.0, help="the duration of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ovseg-bench-") as folder:
        plan = Plan(Path(folder), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None) as stack:
            bench = Bench(plan.url, stack)
            print(f"{'':<13}{'clicks':>8}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'bulk/s':>8}  CPU ms of one job")
            for _ in range(given.rounds):
                bench.measure("clicks alone", bench.click_for, given.seconds)
                with bench.waiting(given.images):
                    bench.measure("bulk alone", bench.sleep_for, given.seconds)
                with bench.waiting(given.images):
                    bench.measure("both", bench.click_for, given.seconds)


@dataclass(frozen=True)
class Counts:
    """What the stack has done until a moment: finished jobs, and seconds of CPU time by process."""

    at: float
    succeeded: int
    cpu_seconds: dict[str, float]


class Bench:
    """Sends jobs to one stack and measures it."""

    def __init__(self, url: str, stack: Stack) -> None:
        self._url, self._stack = url, stack
        self._keyspace = Keyspace.open(Settings(redis_url=stack.environment["OVSEG_REDIS_URL"]))
        self._file = photo(0)
        self._digest = hashlib.sha256(self._file).hexdigest()
        self._stages: list[dict[str, float]] = []  # of each click since the last row
        self._submit(self._file)
        self.click_for(1)  # by then its embedding is known

    def measure(self, name: str, act: Callable[[float], list[float]], seconds: float) -> None:
        """Print a row: what `act` returns, and what the stack did meanwhile."""
        self._stages.clear()
        before = self._counts()
        clicks_ms = act(seconds)
        after = self._counts()
        done = after.succeeded - before.succeeded
        per_second = (done - len(clicks_ms)) / (after.at - before.at)
        percentiles = "".join(f"{_percentile(clicks_ms, share):>8.0f}" if clicks_ms else " " * 8 for share in SHARES)
        cpu_ms = {label: (after.cpu_seconds[label] - cpu) * 1000 / done for label, cpu in before.cpu_seconds.items()}
        costs = ", ".join(f"{label} {ms:.1f}" for label, ms in cpu_ms.items())
        print(f"{name:<13}{len(clicks_ms):>8}{percentiles}{per_second:>8.2f}  {costs}", flush=True)
        if self._stages:
            medians = {stage: statistics.median(each[stage] for each in self._stages) for stage in self._stages[0]}
            print(" " * 13 + "median ms: " + ", ".join(f"{stage} {ms:.0f}" for stage, ms in medians.items()))

    def click_for(self, seconds: float) -> list[float]:
        """Click on the known image at different places, one click at a time. Return the milliseconds of each."""
        clicks_ms: list[float] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            clicks_ms.append(self._click(len(clicks_ms)))
            time.sleep(PAUSE_SECONDS)
        return clicks_ms

    def _click(self, n: int) -> float:
        request = {
            "image": {"sha256": self._digest},
            "prompts": [{"points": [[200 + n % 400, 150 + n % 300]]}],
            "outputs": ["rle"],
            "priority": "interactive",
        }
        start = time.perf_counter()
        answer = session().post(f"{self._url}/v1/jobs?wait=60", json=request)
        milliseconds = (time.perf_counter() - start) * 1000
        job = answer.json()
        assert job["status"] == "succeeded", job
        self._stages.append(_stages(job, milliseconds))
        return milliseconds

    def sleep_for(self, seconds: float) -> list[float]:
        """Wait without clicking."""
        time.sleep(seconds)
        return []

    @contextmanager
    def waiting(self, images: int) -> Iterator[None]:
        """Let distinct images wait while the block runs: `images` at its start, and more than none at its end."""
        submitted: list[str] = []
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            while missing := max(0, images - self._queued()):
                submitted += pool.map(lambda _: self._submit(self._other_file()), range(missing))
        yield
        assert self._queued(), "the images were finished before the measurement was; wait with more of them"
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            list(pool.map(lambda job_id: session().post(f"{self._url}/v1/jobs/{job_id}/cancel"), submitted))

    def _submit(self, file: bytes) -> str:
        request = {"prompts": [{"points": [[300, 200]]}], "outputs": ["rle"], "priority": "bulk"}
        answer = session().post(
            f"{self._url}/v1/jobs", files={"image": ("a.jpg", file)}, data={"request": json.dumps(request)}
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _other_file(self) -> bytes:
        return self._file + os.urandom(8)  # bytes after the end of a JPEG: another file with the same pixels

    def _queued(self) -> int:
        return int(self._keyspace.redis.zcard(self._keyspace.key("jobs:queued")))

    def _counts(self) -> Counts:
        succeeded = int(self._keyspace.redis.zcard(self._keyspace.key("jobs:succeeded")))
        return Counts(
            time.perf_counter(),
            succeeded,
            {label: cpu_seconds(child.pid) for label, child in self._stack.children.items()},
        )


def _stages(job: dict[str, Any], total_ms: float) -> dict[str, float]:
    """Return the milliseconds of a click: the wait for a worker, its work and parts of that, the rest of the call."""
    accepted, started, completed = (
        datetime.fromisoformat(job[name]).timestamp() * 1000 for name in ("accepted_at", "started_at", "completed_at")
    )
    timings = job["timings_ms"]
    return {
        "queued": started - accepted,
        "work": completed - started,
        "decode": timings["decode"],
        "publish": timings["publish"],
        "accept and answer": total_ms - (completed - accepted),
    }


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    main()

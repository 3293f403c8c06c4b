"""Part of `make bench`: jobs per second through HTTP, Redis, worker, S3 and back, with a network that costs nothing.

First, without a worker, it measures how many jobs per second one gateway process accepts. Then, for 1, 4 and 16
workers, it measures jobs per second and the time of each stage, and counts lost jobs. Each job sends a different photo
of 640 x 480 with one box. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

from benchmarks import facts
from benchmarks.service import photo, session
from configs.settings import Settings
from ovseg.stack import Plan, Stack, free_port, running
from worker.process import roster
from worker.store.keyspace import Keyspace

CLIENTS = 16
SIZE = (640, 480)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/throughput.json"))
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="ovseg-bench-") as folder:
        plan = Plan(Path(folder), "127.0.0.1", free_port(), "cpu", Settings())
        with running(plan, lambda label, line: None) as stack:
            stack.children["worker"].ask_to_end()
            stack.children["worker"].end_by(time.monotonic() + 30)
            accepts = accepted(plan.url, arguments.jobs)
            print(f"{accepts:.0f} jobs per second accepted by one gateway process", flush=True)
            rows = []
            for count in arguments.workers:
                with workers(stack, count):
                    through(plan.url, CLIENTS)  # also runs the jobs that were accepted without a worker
                    rows.append({"workers": count} | through(plan.url, arguments.jobs))
                    print(rows[-1], flush=True)
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": facts.machine(), "clients": CLIENTS, "accepts_per_s": accepts, "rows": rows}
    arguments.to.write_text(json.dumps(result, indent=1))


def accepted(url: str, jobs: int) -> float:
    photos = [photo(n, SIZE) for n in range(jobs)]
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda data: submit(url, data), photos))
    return jobs / (time.perf_counter() - start)


def through(url: str, jobs: int) -> dict[str, Any]:
    photos = [photo(time.time_ns() + n, SIZE) for n in range(jobs)]
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        ended = list(tqdm(pool.map(lambda data: wait(url, submit(url, data)), photos), total=jobs, leave=False))
    seconds = time.perf_counter() - start
    stages = defaultdict(list)
    for job in ended:
        accepted_at, started_at, completed_at = (
            datetime.fromisoformat(job[name]) for name in ("accepted_at", "started_at", "completed_at")
        )
        stages["queue"].append((started_at - accepted_at).total_seconds() * 1000)
        stages["work"].append((completed_at - started_at).total_seconds() * 1000)
        for stage, milliseconds in job["timings_ms"].items():
            stages[stage].append(milliseconds)
    return {
        "jobs": jobs,
        "lost": sum(job["status"] != "succeeded" for job in ended),
        "jobs_per_s": jobs / seconds,
        "median_ms": {stage: statistics.median(values) for stage, values in stages.items()},
    }


def submit(url: str, data: bytes) -> str:
    request = json.dumps({"prompts": [{"box": [60, 20, 400, 470]}], "outputs": ["rle"]})
    answer = session().post(f"{url}/v1/jobs", files={"image": ("a.jpg", data)}, data={"request": request})
    answer.raise_for_status()
    return str(answer.json()["id"])


def wait(url: str, job_id: str) -> dict[str, Any]:
    while True:
        job: dict[str, Any] = session().get(f"{url}/v1/jobs/{job_id}", params={"wait": 60}).json()
        if job["completed_at"]:
            return job


@contextmanager
def workers(stack: Stack, count: int, encode_seconds: float = 0) -> Iterator[None]:
    root = Path(__file__).parents[1]
    environment = {**os.environ, **stack.environment, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "benchmarks.box_worker", str(encode_seconds)]
    started = [subprocess.Popen(command, env=environment, cwd=root) for _ in range(count)]
    try:
        settings = Settings(redis_url=stack.environment["OVSEG_REDIS_URL"])
        with Keyspace.open(settings) as keyspace:
            while roster.alive(keyspace)["cpu"] < count:
                assert all(process.poll() is None for process in started)
                time.sleep(0.2)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)


if __name__ == "__main__":
    main()

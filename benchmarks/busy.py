"""Part of `make bench`: the memory of a fully loaded worker, and the share of its time that the network runs.

py-spy samples the device's thread 50 times a second while clients send photos faster than they are segmented, to
SAM-Lite and to a MobileSAM with random weights. SAM-Lite is started twice; the second start is timed, and segments one
photo of 48 megapixels with 200 boxes. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from benchmarks import facts, random_weights
from benchmarks.service import photo, serve_random, session
from benchmarks.throughput import submit, wait
from configs.settings import Settings
from ovseg import demo
from ovseg.stack import Plan, free_port, running

CLIENTS = 8
PY_SPY = str(Path(sys.executable).with_name("py-spy"))
OPTIONS = ("--rate", "50", "--format", "raw", "--threads", "--idle", "--nonblocking")
THREAD = "inference"
RUNS_NETWORK = "_run (worker/inference/batcher.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/busy.json"))
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": facts.machine(), "clients": CLIENTS}
    with TemporaryDirectory(prefix="ovseg-bench-") as name:
        folder = Path(name)
        with stack(folder / "lite"):
            pass
        start = time.perf_counter()
        with stack(folder / "lite") as (url, pid):
            result["second_start_s"] = time.perf_counter() - start
            result["SAM-Lite"] = busy(url, pid, arguments.seconds, folder)
            before = peak_megabytes(pid)
            job = large(url)
            result |= {"peak_mb_before": before, "peak_mb": peak_megabytes(pid), "large_timings_ms": job["timings_ms"]}
        os.environ["OVSEG_ENGINES_DIR"] = str(folder / "engines")  # random weights need no lasting cache
        serve_random("mobile_sam", random_weights.write("mobile_sam", folder))
        with stack(folder / "mobile") as (url, pid):
            result["MobileSAM"] = busy(url, pid, arguments.seconds, folder)
    print(json.dumps(result, indent=1))
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    arguments.to.write_text(json.dumps(result, indent=1))


@contextmanager
def stack(folder: Path) -> Iterator[tuple[str, int]]:
    """Run `ovseg up`. Return its URL, when it is ready, and the worker's process id."""
    plan = Plan(folder, "127.0.0.1", free_port(), "cpu", Settings())
    with running(plan, lambda label, line: None) as started:
        yield plan.url, started.children["worker"].pid


def busy(url: str, pid: int, seconds: int, folder: Path) -> dict[str, Any]:
    photos = [photo(time.time_ns() + n) for n in range(64)]
    is_over, done = threading.Event(), Counter[str]()

    def client(i: int) -> None:
        for data in photos[i::CLIENTS] * 1000:
            if is_over.is_set():
                return
            corner = time.time_ns().to_bytes(8, "big")  # after the end of the JPEG: another file, the same image
            done[wait(url, submit(url, data + corner))["status"]] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, i) for i in range(CLIENTS)]
        time.sleep(3)
        start, before = time.perf_counter(), done["succeeded"]
        raw = folder / "profile.txt"
        command = [PY_SPY, "record", *OPTIONS, "--pid", str(pid), "--duration", str(seconds), "--output", str(raw)]
        subprocess.run(command, check=True, capture_output=True)
        per_second = (done["succeeded"] - before) / (time.perf_counter() - start)
        is_over.set()
        for each in clients:
            each.result()
    samples = Counter[str]()
    for line in raw.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        if THREAD in stack.partition(";")[0]:
            samples["network" if RUNS_NETWORK in stack else "waits"] += int(count)
    share = samples["network"] / samples.total()
    return {"jobs_per_s": per_second, "network_share": share, "ended": dict(done)}


def large(url: str) -> dict[str, Any]:
    with Image.open(demo.PHOTO) as opened:
        picture = opened.convert("RGB").resize((8000, 6000))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    corners = [(300 * (i % 20) + 100, 500 * (i // 20) + 50) for i in range(200)]
    prompts = [{"box": [x, y, x + 800, y + 850]} for x, y in corners]
    request = json.dumps({"prompts": prompts, "outputs": ["rle", "overlay"]})
    answer = session().post(f"{url}/v1/jobs", files={"image": ("a.jpg", buffer.getvalue())}, data={"request": request})
    answer.raise_for_status()
    job = wait(url, answer.json()["id"])
    assert job["status"] == "succeeded", job["error"]
    return job


def peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()

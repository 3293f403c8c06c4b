"""The time that an idle service adds to the network's own time: `python -m benchmarks.overhead [URL]`.

Sends one job at a time: a JPEG photo of 640 x 480 with one box. Prints the 50th and 90th percentiles of
- the gateway's answer to a submission, as the client measures it,
- completed_at - accepted_at - (encode + decode), the overhead of a job,
and the time of each stage. Starts its own stack unless a URL is given.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from PIL import Image
from tqdm import tqdm

from configs.settings import Settings
from ovseg import demo
from ovseg.stack import Plan, free_port, running

JOBS, WARM_UP = 100, 10


def main() -> None:
    with ExitStack() as cleanup:
        url = sys.argv[1] if len(sys.argv) > 1 else _own_stack(cleanup)
        session = requests.Session()
        photo = _photo()
        accepts, overheads, stages = [], [], defaultdict(list)
        for i in tqdm(range(WARM_UP + JOBS), unit="job"):
            accept_ms, job = _one_job(session, url, photo)
            if i < WARM_UP:
                continue
            timings = job["timings_ms"]
            accepts.append(accept_ms)
            overheads.append(_ms(job, "accepted_at", "completed_at") - timings["encode"] - timings["decode"])
            stages["queue"].append(_ms(job, "accepted_at", "started_at"))
            for stage, ms in timings.items():
                stages[stage].append(ms)
    print(f"{JOBS} jobs, one at a time, {len(photo):,} bytes of JPEG        p50 ms    p90 ms")
    for name, values in (("gateway accepts", accepts), ("overhead of a job", overheads), *stages.items()):
        deciles = statistics.quantiles(values, n=10)
        print(f"  {name:<50}{statistics.median(values):>8.1f}{deciles[8]:>10.1f}")


def _one_job(session: requests.Session, url: str, photo: bytes) -> tuple[float, dict[str, Any]]:
    start = time.perf_counter()
    answer = session.post(
        f"{url}/v1/jobs",
        files={"image": ("photo.jpg", photo, "image/jpeg")},
        data={"request": json.dumps({"prompts": [{"box": [60, 20, 400, 470]}]})},
    )
    accept_ms = (time.perf_counter() - start) * 1000
    answer.raise_for_status()
    job = session.get(f"{url}{answer.headers['Location']}", params={"wait": 60}).json()
    assert job["status"] == "succeeded", job["error"]
    return accept_ms, job


def _photo() -> bytes:
    buffer = io.BytesIO()
    Image.open(demo.PHOTO).resize((640, 480)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _own_stack(cleanup: ExitStack) -> str:
    folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="ovseg-bench-")))
    plan = Plan(folder, "127.0.0.1", free_port(), "cpu", Settings())
    cleanup.enter_context(running(plan, lambda label, line: None))
    return plan.url


def _ms(job: dict[str, Any], start: str, end: str) -> float:
    return (datetime.fromisoformat(job[end]) - datetime.fromisoformat(job[start])).total_seconds() * 1000


if __name__ == "__main__":
    main()

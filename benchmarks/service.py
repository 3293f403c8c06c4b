"""Part of `make bench`: jobs per second and latency of `ovseg up` and of `paddlex --serve`, with the same network.

Clients send one photo with one box each and wait for the mask. All photos are different, or all are the same one with
different boxes. All servers are running, and for each kind of load, one after the other has the whole machine: a
machine that changes its speed within minutes changes it for all servers. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import requests
import yaml
from PIL import Image
from tqdm import tqdm

from benchmarks import facts, random_weights
from configs.settings import Settings
from ovseg import demo
from ovseg.stack import Plan, free_port, running
from ovseg_core import models, quantization
from ovseg_core.paddle_inference import export
from ovseg_core.sam.family import load_parts
from ovseg_core.sam.parts import VARIANTS
from ovseg_core.segmenter import Segmenter


class _OfThread(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.session = requests.Session()


_of_thread = _OfThread()

# Takes a photo and a box. Returns when the mask has arrived, with the milliseconds of each stage if they are reported.
Ask = Callable[[bytes, list[float]], dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="mobile_sam", choices=VARIANTS)
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--jobs", type=int, default=100, help="jobs with one image, for ovseg")
    parser.add_argument(
        "--distinct-jobs", type=int, default=24, help="jobs with distinct images, for ovseg; at least one per client"
    )
    parser.add_argument(
        "--their-jobs", type=int, default=8, help="jobs for PaddleX; at least one per client with distinct images"
    )
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/service.json"))
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="ovseg-bench-") as name:
        folder = Path(name)
        os.environ["OVSEG_ENGINES_DIR"] = str(folder / "engines")  # random weights need no lasting cache
        weights = random_weights.write(arguments.network, folder)
        spec = replace(next(m for m in models.all_models().values() if m.network == arguments.network), weights=weights)
        precisions = ["float32", facts.lean_precision()]
        if "int8" in precisions:
            quantization.make(Segmenter.of(spec, "cpu", "openvino", "float32"), weights, [demo.PHOTO] * 2)
        our_jobs = {"distinct": arguments.distinct_jobs, "one": arguments.jobs}
        their_jobs = dict.fromkeys(our_jobs, arguments.their_jobs)
        with ExitStack() as up:
            servers = [
                (f"ovseg {precision}", up.enter_context(ours(arguments.network, weights, folder, precision)), our_jobs)
                for precision in precisions
            ]
            servers.append(("PaddleX 3.7.2", up.enter_context(theirs(arguments.network, weights, folder)), their_jobs))
            for _, ask, _ in servers:
                ask(photo(0), box(0))  # the first job is slow on every server
            for clients, images in product(arguments.clients, ("distinct", "one")):
                for label, ask, jobs in servers:
                    count = max(jobs[images], clients) if images == "distinct" else jobs[images]
                    rows.append({"by": label, "clients": clients, "images": images} | load(ask, clients, count, images))
                    print(rows[-1], flush=True)
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    result = {"machine": facts.machine(), "network": arguments.network, "rows": rows}
    arguments.to.write_text(json.dumps(result, indent=1))


def load(ask: Ask, clients: int, jobs: int, images: str) -> dict[str, Any]:
    seed = time.time_ns()  # photos that are in no cache
    photos = [photo(seed + n) for n in range(jobs if images == "distinct" else 1)]
    stages = defaultdict(list)

    def one(n: int) -> float:
        start = time.perf_counter()
        for stage, milliseconds in ask(photos[n % len(photos)], box(n)).items():
            stages[stage].append(milliseconds)
        return time.perf_counter() - start

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seconds = sorted(tqdm(pool.map(one, range(jobs)), total=jobs, desc=f"{clients} clients, {images}", leave=False))
    return {
        "jobs": jobs,
        "jobs_per_s": jobs / (time.perf_counter() - start),
        "p50_s": statistics.median(seconds),
        "p99_s": seconds[min(len(seconds) - 1, int(0.99 * len(seconds)))],
        "median_ms": {stage: statistics.median(values) for stage, values in stages.items()},
    }


def photo(seed: int, size: tuple[int, int] = (1024, 768)) -> bytes:
    """Return the photo of the demo with random pixels in one corner, so that each seed gives another image."""
    with Image.open(demo.PHOTO) as opened:
        picture = opened.convert("RGB").resize(size)
    noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    picture.paste(Image.fromarray(noise), (0, 0))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def box(n: int) -> list[float]:
    return [100.0 + n % 50, 80.0 + n % 40, 500.0 + n % 60, 600.0]


@contextmanager
def ours(network: str, weights: Path, folder: Path, precision: str) -> Iterator[Ask]:
    serve_random(network, weights)
    os.environ["OVSEG_PRECISION"] = precision
    plan = Plan(folder / f"stack-{precision}", "127.0.0.1", free_port(), "cpu", Settings())

    def ask(data: bytes, box: list[float]) -> dict[str, float]:
        request = json.dumps({"prompts": [{"box": box}], "outputs": ["rle"]})
        accepted = session().post(f"{plan.url}/v1/jobs", files={"image": ("a.jpg", data)}, data={"request": request})
        accepted.raise_for_status()
        while True:
            job = session().get(f"{plan.url}{accepted.headers['Location']}", params={"wait": 60}).json()
            if job["completed_at"]:
                assert job["status"] == "succeeded", job["error"]
                assert job["result"]["masks"]
                return dict(job["timings_ms"])

    with running(plan, lambda label, line: None):
        yield ask


def serve_random(network: str, weights: Path) -> None:
    """Make a model with these weights the default of the services that are started from now on."""
    registry = weights.parent / "models.yaml"
    registry.write_text(yaml.safe_dump({"Random": {"network": network, "file": weights.name}}))
    os.environ |= {
        "OVSEG_MODELS_DIR": str(weights.parent),
        "OVSEG_MODELS_YAML": str(registry),
        "OVSEG_DEFAULT_MODEL": "Random",
    }


@contextmanager
def theirs(network: str, weights: Path, folder: Path) -> Iterator[Ask]:
    modules = {}
    for kind in ("box", "point"):
        export.export(load_parts(network, weights), kind, folder / f"SAM-H_{kind}")
        modules[f"{kind.capitalize()}PromptSegmentation"] = {
            "module_name": f"{kind}_prompt_segmentation",
            "model_name": f"SAM-H_{kind}",
            "model_dir": str(folder / f"SAM-H_{kind}"),
            "batch_size": 1,
        }
    config = folder / "pipeline.yaml"
    config.write_text(yaml.safe_dump({"pipeline_name": "open_vocabulary_segmentation", "SubModules": modules}))
    port = free_port()
    arguments = ["--serve", "--pipeline", str(config), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    with (folder / "paddlex.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "paddlex", *arguments], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"

    def ask(data: bytes, box: list[float]) -> dict[str, float]:
        body = {"image": base64.b64encode(data).decode(), "prompt": [box], "promptType": "box", "visualize": False}
        answer = session().post(f"{url}/open-vocabulary-segmentation", json=body)
        answer.raise_for_status()
        assert answer.json()["result"]["masks"]
        return {}

    try:
        while not _is_up(url):
            assert process.poll() is None, (folder / "paddlex.log").read_text()
            time.sleep(0.5)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=3).ok
    except requests.RequestException:
        return False


def session() -> requests.Session:
    """Return the session of this thread."""
    return _of_thread.session


if __name__ == "__main__":
    main()

"""Part of `make bench`: an image and its boxes, in ovseg and its peers, with the same photo, weights and machine.

The peers are PaddleX's own predictor, with the network as a PaddleX inference model; the authors' `SamPredictor` on
torch, or `SAM2ImagePredictor`; and transformers' `SamModel` or `Sam2Model` (with its own weights of the same size; the
latter only for SAM2.1-T, whose size is its default). SAM-Lite is compared with Paddle, on which
PaddleX runs: PaddleX's predictor expects masks of the whole canvas, and SAM-Lite returns a region of it. All take
turns, also with products of two matrices, which show what the machine can do, so that a slow moment affects all of
them. Medians (and the fastest run) in milliseconds; with `--clock cpu`, of CPU time of all cores, which other programs
on the machine change little. Writes a JSON file for benchmarks/report.py.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import facts
from benchmarks.contestants import BOXES, Contestant, contestants
from ovseg import demo
from ovseg_core import image
from ovseg_core.engines import in_openvino

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
CORES = len(os.sched_getaffinity(0))
PAUSE_SECONDS = 0.5  # idle threads of the previous contestant spin while they wait; after this time they sleep
PRODUCTS = {"large": (4096, 4096, 4096), "layer": (4096, 768, 3072)}  # rows, summed dimension, columns

# Counted by torch.utils.flop_counter: the authors' encoders on a canvas of 1024, SAM-Lite's on 640. A multiplication
# and an addition count as two operations.
ENCODER_GFLOP = {
    "SAM-Lite": 7.7,
    "MobileSAM": 77.5,
    "SAM-B": 972,
    "SAM-L": 2986,
    "SAM-H": 5961,
    "SAM2.1-T": 292,
    "SAM2.1-S": 360,
    "SAM2.1-B+": 647,
    "SAM2.1-L": 1823,
}

Clock = Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["SAM-Lite", "MobileSAM", "SAM-B"])
    parser.add_argument("--repeats", type=int, default=3)
    engines = ["openvino", f"openvino {facts.lean_precision()}", "onnxruntime"]
    parser.add_argument("--engines", nargs="+", default=engines, help="of ovseg, and a precision")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--to", type=Path, default=Path("benchmarks/results/peers.json"))
    arguments = parser.parse_args()
    photo = image.decode(demo.PHOTO.read_bytes(), 10**8)
    found: dict[str, Any] = {"machine": facts.machine(), "clock": arguments.clock, "encoder_gflop": ENCODER_GFLOP}
    found["rows"], clock = [], CLOCKS[arguments.clock]
    speeds: dict[str, list[float]] = {}
    arguments.to.parent.mkdir(parents=True, exist_ok=True)
    for name in arguments.models:
        found["rows"] += measured(name, photo, arguments.engines, arguments.repeats, speeds, clock)
        found["product_gflop_per_s"] = {what: statistics.median(those) for what, those in speeds.items()}
        arguments.to.write_text(json.dumps(found, indent=1))
    for row in found["rows"]:
        print(row)


def measure_products(speeds: dict[str, list[float]], clock: Clock) -> None:
    """Measure how fast torch multiplies, in GFLOP/s, and append it to the lists of "bfloat16 large" and others."""
    import torch

    torch.set_num_threads(CORES)  # all cores, as in `measured`
    for precision in in_openvino.precisions():
        dtype = getattr(torch, precision)
        for size, (rows, inner, columns) in PRODUCTS.items():
            a, b = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
            a @ b
            for _ in range(5):
                start = clock()
                a @ b
                speed = 2 * rows * inner * columns / (clock() - start) / 1e9
                speeds.setdefault(f"{precision} {size}", []).append(speed)


def measured(
    name: str, photo: np.ndarray, engines: list[str], repeats: int, speeds: dict[str, list[float]], clock: Clock
) -> list[dict[str, Any]]:
    import torch

    with TemporaryDirectory() as folder:
        os.environ["OVSEG_ENGINES_DIR"] = folder  # random weights need no lasting cache
        several = list(contestants(name, photo, engines, Path(folder)))
        for each in tqdm(several, desc=f"{name}: the first time", leave=False):
            each.first()
            if not each.sees_it_again:
                each.all_boxes()
        taken: dict[tuple[str, str], list[float]] = {}
        for _ in tqdm(range(repeats), desc=name):
            measure_products(speeds, clock)
            for each in several:
                for what, call in {"first": each.first, "boxes": each.all_boxes, **each.parts}.items():
                    time.sleep(PAUSE_SECONDS)
                    if what in each.parts:
                        call()  # warm up: a part is measured while it runs repeatedly
                    torch.set_num_threads(CORES)  # PaddleX's predictor sets OpenMP to one thread for the whole process
                    start = clock()
                    call()
                    taken.setdefault((each.name, what), []).append((clock() - start) * 1000)
        rows = [_row(name, each, taken) for each in several]
    gc.collect()
    return rows


def _row(model: str, each: Contestant, taken: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    first, boxes = taken[each.name, "first"], taken[each.name, "boxes"]
    return {
        "model": model,
        "by": each.name,
        "first_ms": statistics.median(first),
        "first_fastest_ms": min(first),
        "box_of_64_ms": statistics.median(boxes) / len(BOXES),
        "box_of_64_fastest_ms": min(boxes) / len(BOXES),
        "sees_it_again": each.sees_it_again,
        "parts_ms": {part: statistics.median(taken[each.name, part]) for part in each.parts},
    }


if __name__ == "__main__":
    main()

"""`make bench-models`: how long each network takes on this machine's CPU.

Medians and the fastest run, milliseconds: one image's encoding, a box decoded alone and among 16. Weights that are not
installed are drawn at random, which is as fast.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors.numpy import save_file

from ovseg_core import models
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

PHOTO_HW = (768, 1024)
BOXES = [Prompt.of_box(100 + 8 * i, 80, 420 + 8 * i, 400) for i in range(16)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["SAM-Lite", "MobileSAM", "SAM-B"])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores; {arguments.repeats} runs each: median (fastest), milliseconds\n")
    print("| model | engine | encode | decode a box | decode a box of 16 |")
    print("|---|---|---|---|---|")
    for name in arguments.models:
        with TemporaryDirectory() as folder:
            print(row(opened(name, Path(folder)), arguments.repeats), flush=True)


def opened(name: str, folder: Path) -> Segmenter:
    spec = models.find(name)
    return Segmenter.of(spec if spec.is_installed else with_random_weights(spec, folder), "cpu", "auto")


def with_random_weights(spec: ModelSpec, folder: Path) -> ModelSpec:
    from ovseg_core import checkpoints
    from ovseg_core.sam.parts import VARIANTS

    network = VARIANTS[spec.network]()
    linear = checkpoints.linear_weights(network)
    arrays = {n: v.numpy().T.copy() if n in linear else v.numpy() for n, v in network.state_dict().items()}
    path = folder / "random.safetensors"
    save_file(arrays, path)
    return replace(spec, weights=path)


def row(segmenter: Segmenter, repeats: int) -> str:
    photo = np.random.default_rng(0).integers(0, 256, (*PHOTO_HW, 3), np.uint8)
    embedding = segmenter.encode(photo)
    segmenter.decode(embedding, BOXES[:1])
    cells = [
        timed(lambda: segmenter.encode(photo), repeats),
        timed(lambda: segmenter.decode(embedding, BOXES[:1]), repeats),
        timed(lambda: segmenter.decode(embedding, BOXES), repeats, each=len(BOXES)),
    ]
    return f"| {segmenter.spec.name} | {segmenter.engine} | {' | '.join(cells)} |"


def timed(call: Callable[[], object], repeats: int, each: int = 1) -> str:
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000 / each)
    return f"{statistics.median(taken):,.0f} ({min(taken):,.0f})"


if __name__ == "__main__":
    main()

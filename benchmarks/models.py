"""`make bench-models`: how long each network takes on this machine's CPU, on each engine, in one run.

Prints the median and the fastest run, in milliseconds, of encoding an image, decoding one box, and decoding a box among
16. Weights that are not installed are replaced by random ones, which are as fast.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import random_weights
from ovseg.engines import measured
from ovseg_core import models, networks
from ovseg_core.segmenter import Segmenter


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
            os.environ["OVSEG_ENGINES_DIR"] = folder  # random weights need no lasting cache
            spec = models.find(name)
            if not spec.is_installed:
                spec = replace(spec, weights=random_weights.write(spec.network, Path(folder)))
            for engine in networks.engines(spec.network, "cpu"):
                for precision in networks.precisions(spec.network, spec.weights, "cpu", engine):
                    times = measured(Segmenter.of(spec, "cpu", engine, precision), arguments.repeats)
                    print(f"| {name} | {engine} {precision} | {' | '.join(map(str, times))} |", flush=True)


if __name__ == "__main__":
    main()

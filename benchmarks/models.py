"""`make bench-models`: how long each network takes on this machine's CPU, on each engine, in one run.

Prints the median and the fastest run, in milliseconds, of encoding an image, decoding one prompt, and decoding a prompt
among 16 (boxes, or clicks for a network that takes no boxes). Weights that are not installed are replaced by random
ones, which are as fast. The largest networks take minutes on each engine: `--models` chooses.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import random_weights
from ovseg.engines import measured
from ovseg_core import models, networks
from ovseg_core.models import ModelSpec
from ovseg_core.segmenter import Segmenter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", help="instead of one model of each network")
    parser.add_argument("--engines", nargs="+", default=networks.ENGINES)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores; {arguments.repeats} runs each: median (fastest), milliseconds\n")
    print("| model | engine | encode | decode a prompt | decode one of 16 |")
    print("|---|---|---|---|---|")
    for spec in map(models.find, arguments.models) if arguments.models else one_of_each_network():
        with TemporaryDirectory() as folder:
            os.environ["OVSEG_ENGINES_DIR"] = folder  # random weights need no lasting cache
            if not spec.is_installed:
                spec = replace(spec, weights=random_weights.write(spec.network, Path(folder)))
            for engine in networks.engines(spec.network, "cpu"):
                if engine not in arguments.engines:
                    continue
                for precision in networks.precisions(spec.network, spec.weights, "cpu", engine):
                    times = measured(Segmenter.of(spec, "cpu", engine, precision), arguments.repeats)
                    print(f"| {spec.name} | {engine} {precision} | {' | '.join(map(str, times))} |", flush=True)


def one_of_each_network() -> Iterator[ModelSpec]:
    """Yield the first model of each network that is installed or for which random weights can be made."""
    first: dict[str, ModelSpec] = {}
    for spec in models.all_models().values():
        if spec.is_installed or not spec.is_folder:
            first.setdefault(spec.network, spec)
    yield from (first[network] for network in networks.NETWORKS if network in first)


if __name__ == "__main__":
    main()

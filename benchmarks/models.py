"""`make bench-models`: how long each network takes on this machine's CPU, on each engine, in one run.

Prints the median and the fastest run, in milliseconds, of encoding an image, decoding one prompt, and decoding a prompt
among 16 (boxes, or clicks for a network that takes no boxes). Weights that are not installed are replaced by random
ones, which are as fast. The largest networks take minutes on each engine: `--models` chooses.

`--everything 16 32` adds the seconds of everything mode, with 16 x 16 and with 32 x 32 clicks. Masks of random weights
are noise, which no filter passes, so masks that look like objects replace them, as in benchmarks/everything.py.

`--clock cpu` measures CPU time of all cores, which other programs on the machine change little.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from benchmarks import random_weights
from benchmarks.everything import Drawing
from benchmarks.peers import CLOCKS, Clock
from ovseg import demo
from ovseg.engines import measured
from ovseg_core import image, models, networks
from ovseg_core.models import ModelSpec
from ovseg_core.segmenter import Segmenter
from tests.support import clicks

PHOTO_HW = (1000, 1500)  # as in benchmarks/everything.py


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", help="instead of one model of each network")
    parser.add_argument("--engines", nargs="+", default=networks.ENGINES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--everything", type=int, nargs="+", default=(), help="clicks along each side of the image")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    print(f"{os.cpu_count()} cores; {arguments.repeats} runs each: median (fastest), {arguments.clock} milliseconds\n")
    modes = "".join(f" everything, {side**2:,} clicks |" for side in arguments.everything)
    print(f"| model | engine | encode | decode a prompt | decode one of 16 |{modes}")
    print("|---|---|---|---|---|" + "---|" * len(arguments.everything))
    for spec in map(models.find, arguments.models) if arguments.models else one_of_each_network():
        with TemporaryDirectory() as folder:
            os.environ["OVSEG_ENGINES_DIR"] = folder  # random weights need no lasting cache
            is_random = not spec.is_installed
            if is_random:
                spec = replace(spec, weights=random_weights.write(spec.network, Path(folder)))
            for engine in networks.engines(spec.network, "cpu"):
                if engine not in arguments.engines:
                    continue
                for precision in networks.precisions(spec.network, spec.weights, "cpu", engine):
                    segmenter = Segmenter.of(spec, "cpu", engine, precision)
                    cells = [*map(str, measured(segmenter, arguments.repeats, clock))]
                    cells += everything(segmenter, is_random, arguments.everything, clock)
                    print(f"| {spec.name} | {engine} {precision} | {' | '.join(cells)} |", flush=True)


def everything(segmenter: Segmenter, is_random: bool, sides: Sequence[int], clock: Clock) -> Iterator[str]:
    """Yield the seconds that everything mode takes with each number of clicks, and how many masks it finds."""
    photo = cv2.resize(image.decode(demo.PHOTO.read_bytes(), 10**8), PHOTO_HW[::-1])
    if is_random and sides:
        cells = clicks.brightness(segmenter.canvas(photo)[0])
        segmenter = Segmenter(segmenter.spec, Drawing(segmenter.network, cells), segmenter.engine)
    for side in sides:
        started = clock()
        *_, last = segmenter.everything(photo, points_per_side=side)
        yield f"{clock() - started:.1f} s, {len(last.answers)} masks"


def one_of_each_network() -> Iterator[ModelSpec]:
    """Yield the first model of each network that is installed or for which random weights can be made."""
    first: dict[str, ModelSpec] = {}
    for spec in models.all_models().values():
        if spec.is_installed or not spec.is_folder:
            first.setdefault(spec.network, spec)
    yield from (first[network] for network in networks.NETWORKS if network in first)


if __name__ == "__main__":
    main()

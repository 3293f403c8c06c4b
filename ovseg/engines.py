"""`ovseg engines`: measure each engine and precision that can run a model on this machine, and mark the default."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import click
import numpy as np

from ovseg_core import devices, models, networks
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

Clock = Callable[[], float]
PHOTO_HW = (768, 1024)
# The first of these that a model can take, 16 times. PaddleX's inference models take only one of them.
PROMPTS = {
    "box": [Prompt.of_box(100 + 8 * i, 80, 420 + 8 * i, 400) for i in range(16)],
    "point": [Prompt.of_point(260 + 8 * i, 240) for i in range(16)],
}


class Time(NamedTuple):
    """Milliseconds."""

    median: float
    fastest: float

    def __str__(self) -> str:
        return f"{self.median:,.0f} ({self.fastest:,.0f})"


class Times(NamedTuple):
    """How long it takes to encode an image, to decode one prompt, and to decode a prompt in a call with 16."""

    encode: Time
    prompt: Time
    prompt_of_16: Time


def show(names: Sequence[str], repeats: int) -> None:
    """Print a table of the named models, or of all installed models. Raises OvsegError for an unknown model."""
    device = devices.default()
    specs = [models.find(name) for name in names] or [m for m in models.all_models().values() if m.is_installed]
    click.echo(f"On {device}; milliseconds, median (and fastest) of {repeats} runs; * is a worker's default.\n")
    width = max(len(spec.name) for spec in specs)
    click.echo(f"{'model':{width}} {'engine':10} {'precision':10} {'encode':>18} {'a prompt':>14} {'one of 16':>14}")
    for spec in specs:
        taken = networks.choose_engine(spec.network, device)
        default = (taken, networks.choose_precision(spec.network, spec.weights, device, taken))
        for engine in networks.engines(spec.network, device):
            for precision in networks.precisions(spec.network, spec.weights, device, engine):
                mark = "*" if (engine, precision) == default else ""
                times = measured(Segmenter.of(spec, device, engine, precision), repeats)
                click.echo(
                    f"{spec.name:{width}} {engine + mark:10} {precision:10} "
                    f"{times.encode!s:>18} {times.prompt!s:>14} {times.prompt_of_16!s:>14}"
                )


def measured(segmenter: Segmenter, repeats: int, clock: Clock = time.perf_counter) -> Times:
    """Measure a model with boxes, or with clicks if it takes no boxes. `clock` returns seconds."""
    photo = np.random.default_rng(0).integers(0, 256, (*PHOTO_HW, 3), np.uint8)
    prompts = next(several for kind, several in PROMPTS.items() if kind in segmenter.spec.takes)
    embedding = segmenter.encode(photo)
    segmenter.decode(embedding, prompts[:1])
    return Times(
        _timed(lambda: segmenter.encode(photo), repeats, clock),
        _timed(lambda: segmenter.decode(embedding, prompts[:1]), repeats, clock),
        _timed(lambda: segmenter.decode(embedding, prompts), repeats, clock, each=len(prompts)),
    )


def _timed(call: Callable[[], object], repeats: int, clock: Clock, each: int = 1) -> Time:
    taken = []
    for _ in range(repeats):
        started = clock()
        call()
        taken.append((clock() - started) * 1000 / each)
    return Time(statistics.median(taken), min(taken))

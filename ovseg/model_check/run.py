"""Run the check on one engine and precision, or on all that are installed, and print its rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np

from ovseg import demo
from ovseg.elapsed import elapsed
from ovseg.model_check import answers
from ovseg.model_check.answers import Answers
from ovseg.model_check.check import Check, Row, peak_memory
from ovseg_core import devices, digests, header, image, models, networks
from ovseg_core.models import ModelSpec
from ovseg_core.segmenter import Segmenter


@dataclass(frozen=True)
class Request:
    """What to check.

    Attributes:
        name: of the model.
        device: None for the default device.
        engine, precision: as `Segmenter.open` takes them.
        all_engines: check every engine and precision that can run the model on the device instead.
        answers: a file of known answers; None for those that are part of the package.
        record: where to write the answers of the check, if they are good; None not to.
    """

    name: str
    device: str | None
    engine: str
    precision: str
    all_engines: bool = False
    answers: Path | None = None
    record: Path | None = None


def run(request: Request) -> int:
    """Print a table for each engine and precision. Return the exit code: 0 if all answers are good and 1 if not.

    Raises:
        OvsegError: the model is unknown or not installed.
        ValueError: the weights do not fit the network, or an option cannot be used.
        OSError: a file of answers cannot be read or written.
    """
    spec = models.resolved(request.name)
    device = request.device or devices.default()
    known = _known(request, spec)
    chosen = [(request.engine, request.precision)]
    if request.all_engines:
        on = networks.engines(spec.network, device)
        chosen = [(e, p) for e in on for p in networks.precisions(spec.network, spec.weights, device, e)]
    first: Answers | None = None
    wrong = 0
    for engine, precision in chosen:
        found, count = _checked(spec, device, engine, precision, known, first)
        first = first or found
        wrong += count
    if wrong:
        click.echo(
            f"{spec.name} does not work as it should: {wrong} of the steps above {'are' if wrong > 1 else 'is'} wrong."
        )
        return 1
    click.echo(f"{spec.name} works.")
    if request.record is not None:
        assert first is not None
        first.write(request.record)
        click.echo(f"recorded its answers in {request.record}")
    return 0


def _known(request: Request, spec: ModelSpec) -> Answers | None:
    """Return the answers to compare with. New ones that are to be recorded may differ from those in the package."""
    if request.answers is not None:
        return Answers.read(request.answers)
    return None if request.record is not None else answers.of_model(spec.name)


def _checked(
    spec: ModelSpec, device: str, engine: str, precision: str, known: Answers | None, other: Answers | None
) -> tuple[Answers, int]:
    """Check one engine and precision, and print the rows. Return the answers, and the number of wrong rows.

    The answers are also compared with those of another engine, if they are given.
    """
    photo = image.decode(demo.PHOTO.read_bytes(), header.MOST_PIXELS)
    of_sam_lite = answers.of_model("SAM-Lite")
    assert of_sam_lite is not None
    started = time.perf_counter()
    with elapsed(f"loading {spec.name} (the first time may take a minute)"):
        segmenter = _loaded(spec, device, engine, precision)
    ran_on = f"{segmenter.engine}, {segmenter.precision}"
    against = f"with the answers of {known.made_by}" if known else "only roughly, with SAM-Lite's masks"
    click.echo(f"{spec.name} on {device} ({ran_on}), compared {against}\n")
    wrong = _shown(Row("load", time.perf_counter() - started, str(spec.weights)))
    check = Check(segmenter, photo, known, of_sam_lite)
    steps = check.rows()
    while (row := _next(steps)) is not None:
        wrong += _shown(row)
    if other is not None:
        wrong += _shown(check.compared(other))
    click.echo(f"{'peak memory':<20} {peak_memory() / 1e6:>8,.0f} MB\n")
    return check.answers(f"ovseg {version('ovseg')} ({ran_on})", digests.of_weights(spec.weights)), wrong


def _loaded(spec: ModelSpec, device: str, engine: str, precision: str) -> Segmenter:
    try:
        return Segmenter.of(spec, device, engine, precision)
    except ValueError as error:
        raise ValueError(f"{spec.name} cannot be loaded: {error}") from error


def _next(steps: Iterator[Row]) -> Row | None:
    with elapsed("running"), np.errstate(all="ignore"):  # damaged weights overflow; the rows show the consequences
        return next(steps, None)


def _shown(row: Row) -> int:
    """Print a row. Return 1 if it is wrong."""
    click.echo(f"{row.step:<20} {row.seconds:>8.2f} s   {'WRONG: ' if row.is_wrong else ''}{row.text}")
    return int(row.is_wrong)

"""Run the check on one engine and precision, or on all that are installed, and print its rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from ovseg.elapsed import elapsed
from ovseg.model_check.row import Row, peak_memory
from ovseg.model_check.subjects import DetectorSubject, ModelSubject, Subject
from ovseg_core import devices, digests, models


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
    device = request.device or devices.default()
    subject: Subject
    if models.is_detector(request.name):
        subject = DetectorSubject(models.find_detector(request.name), device, request.answers, bool(request.record))
    else:
        subject = ModelSubject(models.resolved(request.name), device, request.answers, bool(request.record))
    chosen = subject.variants() if request.all_engines else [(request.engine, request.precision)]
    first: Any = None
    wrong = 0
    for engine, precision in chosen:
        found, count = _checked(subject, engine, precision, first)
        first = first or found
        wrong += count
    if wrong:
        click.echo(
            f"{subject.name} does not work as it should: {wrong} of the steps above "
            f"{'are' if wrong > 1 else 'is'} wrong."
        )
        return 1
    click.echo(f"{subject.name} works.")
    if request.record is not None:
        first.write(request.record)
        click.echo(f"recorded its answers in {request.record}")
    return 0


def _checked(subject: Subject, engine: str, precision: str, other: Any) -> tuple[Any, int]:
    """Check one engine and precision, and print the rows. Return the answers, and the number of wrong rows.

    The answers are also compared with those of another engine, if they are given.
    """
    started = time.perf_counter()
    with elapsed(f"loading {subject.name} (the first time may take a minute)"):
        check = subject.loaded(engine, precision)
    click.echo(f"{subject.name} on {subject.device} ({check.ran_on}), compared {subject.against}\n")
    wrong = _shown(Row("load", time.perf_counter() - started, str(subject.weights)))
    steps = check.rows()
    while (row := _next(steps)) is not None:
        wrong += _shown(row)
    if other is not None:
        wrong += _shown(check.compared(other))
    click.echo(f"{'peak memory':<20} {peak_memory() / 1e6:>8,.0f} MB\n")
    made_by = f"ovseg {version('ovseg')} ({check.ran_on})"
    return check.answers(made_by, digests.of_weights(subject.weights)), wrong


def _next(steps: Iterator[Row]) -> Row | None:
    with elapsed("running"), np.errstate(all="ignore"):  # damaged weights overflow; the rows show the consequences
        return next(steps, None)


def _shown(row: Row) -> int:
    """Print a row. Return 1 if it is wrong."""
    click.echo(f"{row.step:<20} {row.seconds:>8.2f} s   {'WRONG: ' if row.is_wrong else ''}{row.text}")
    return int(row.is_wrong)

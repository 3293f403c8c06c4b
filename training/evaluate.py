"""Mean IoU on held-out photos by prompt and size, of the model and of simple baselines. Prompts are made from the
masks.

It needs only what the library needs, and no torch: it measures the shipped model, and another one beside it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ovseg_core.models.locating import located
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from training import calibration, things
from training.answers import answers
from training.baselines import BASELINES
from training.figures import boundary_iou, iou, mean_and_error
from training.photos import Photo, split
from training.things import SIZES

CALIBRATED = ("box", "1 click")  # prompts whose predicted IoU is compared with the true one


@dataclass(frozen=True)
class Row:
    """The result of one prompt for one thing."""

    photo: str
    size: str
    prompt: str
    iou: float
    boundary: float
    predicted: float | None  # IoU; None for a baseline


def rows(segmenter: Segmenter, photos: Iterable[Photo]) -> Iterator[Row]:
    """Yield the results of a model."""
    for photo in tqdm(photos, unit="photo", ascii=True, mininterval=5):
        if expected := things.of(photo):
            embedding = segmenter.encode(photo.pixels())
            for prompt, thing, found in answers(segmenter, embedding, expected):
                yield _row(photo, thing, prompt, found.mask, found.score)


def baseline_rows(photos: Iterable[Photo]) -> Iterator[Row]:
    """Yield the results of each of `BASELINES`."""
    for name, baseline in BASELINES.items():
        for photo in photos:
            pixels = photo.pixels()
            for thing in things.of(photo):
                yield _row(photo, thing, name, baseline(pixels, thing), None)


def _row(photo: Photo, thing: things.Thing, prompt: str, found: things.Mask, predicted: float | None) -> Row:
    return Row(photo.name, thing.size, prompt, iou(found, thing.mask), boundary_iou(found, thing.mask), predicted)


Cells = Mapping[tuple[str, str], Sequence[tuple[float, str]]]  # values and their photos, by prompt and column


def cells_of(measured: Iterable[Row]) -> Cells:
    """Sort results into the cells of a table."""
    cells: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for row in measured:
        for column in ("all", row.size):
            cells[row.prompt, column].append((row.iou, row.photo))
        for column in ("boundary", f"boundary, {row.size}"):
            cells[row.prompt, column].append((row.boundary, row.photo))
    return cells


def table(cells: Cells, sign: str = "") -> str:
    """Return a Markdown table with a line per prompt: the mean of all things and by size, with standard errors."""
    columns = ["all", *(name for name, _ in SIZES), "boundary", "boundary, large"]
    first = next(iter(cells), ("", ""))[0]
    lines = ["| prompt | " + " | ".join(f"{c} ({len(cells.get((first, c), ()))})" for c in columns) + " |"]
    lines.append("|---|" + "---|" * len(columns))
    for prompt in dict.fromkeys(prompt for prompt, _ in cells):
        texts = []
        for column in columns:
            values = cells.get((prompt, column), ())
            mean, error = mean_and_error(*zip(*values, strict=True)) if values else (0.0, 0.0)
            texts.append(f"{mean:{sign}.3f} ± {error:.3f}" if values else "")
        lines.append(f"| {prompt} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def differences(before: Sequence[Row], after: Sequence[Row]) -> Cells:
    """Return what changed, thing by thing: the standard error of a mean is then that of the difference."""
    old, new = cells_of(before), cells_of(after)
    return {key: [(a - b, photo) for (b, photo), (a, _) in zip(old[key], new[key], strict=True)] for key in old}


def calibrated(measured: Sequence[Row]) -> str:
    """Return a list of the mean errors of the predicted IoU, by prompt."""
    lines = []
    for prompt in CALIBRATED:
        errors = [
            (abs(r.predicted - r.iou), r.photo) for r in measured if r.prompt == prompt and r.predicted is not None
        ]
        mean, error = mean_and_error(*zip(*errors, strict=True))
        lines.append(f"- {prompt}: predicted IoU is off by {mean:.3f} ± {error:.3f} on average")
    return "\n".join(lines)


def evaluate(folders: Sequence[Path], report: Path, precision: str, weights: Path | None, on_trial: bool) -> None:
    """Write the tables in Markdown, and print them. A plot of predicted and true IoU is written next to them.

    Args:
        folders: photos in COCO's format.
        report: the file to write.
        precision: of the engine.
        weights: a model of the same layers, which is measured beside the shipped one.
        on_trial: measure the photos for trials, without baselines, instead of those that are held out.
    """
    photos = split(folders)
    segmenters = {"shipped": Segmenter.open("SAM-Lite", precision=precision)}
    if weights:
        spec = located("SAM-Lite", weights)
        segmenters[str(weights)] = Segmenter.of(spec, "cpu", "auto", precision)
    report.parent.mkdir(parents=True, exist_ok=True)
    sections = []
    for group, of_group in things.by_group(photos.trial if on_trial else photos.held_out).items():
        measured = {name: list(rows(segmenter, of_group)) for name, segmenter in segmenters.items()}
        baselines = [] if weights or on_trial else list(baseline_rows(of_group))
        title = f"**{things.GROUPS[group]}**: {len(of_group)} photos"
        sections.append("\n\n".join([title, *_tables(measured, baselines)]))
        print(sections[-1], flush=True)
        last = measured[next(reversed(measured))]
        series = {prompt: _predicted_and_true(last, prompt) for prompt in CALIBRATED}
        report.with_name(f"{report.stem}-{group}.svg").write_text(calibration.plot(series))
    sections.append(timings(segmenters))
    print(sections[-1])
    report.write_text("\n\n".join(sections) + "\n")


def _tables(measured: Mapping[str, Sequence[Row]], baselines: Sequence[Row]) -> Iterator[str]:
    """Yield the tables of models by their names, of the difference of two, and of baselines."""
    for name, found in measured.items():
        yield f"{name}:"
        yield table(cells_of(found))
        yield calibrated(found)
    if len(measured) == 2:
        yield "the difference:"
        yield table(differences(*measured.values()), "+")
    if baselines:
        yield "baselines:"
        yield table(cells_of(baselines))


def _predicted_and_true(measured: Iterable[Row], prompt: str) -> tuple[list[float], list[float]]:
    pairs = [(row.predicted, row.iou) for row in measured if row.prompt == prompt and row.predicted is not None]
    return [predicted for predicted, _ in pairs], [true for _, true in pairs]


def timings(segmenters: Mapping[str, Segmenter], repeats: int = 15) -> str:
    """Return a table of medians on this machine, in milliseconds. The models take turns."""
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    box, click = Prompt.of_box(100, 100, 400, 300), Prompt.of_point(300, 200)
    prompts = {"a box": [box], "a box of 16": [box] * 16, "a click": [click], "a click of 16": [click] * 16}
    taken: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in segmenters}
    for _ in range(repeats):
        for name, segmenter in segmenters.items():
            started = time.perf_counter()
            embedding = segmenter.encode(pixels)
            taken[name]["encode"].append(time.perf_counter() - started)
            for kind, several in prompts.items():
                started = time.perf_counter()
                segmenter.decode(embedding, several)
                taken[name][kind].append((time.perf_counter() - started) / len(several))
    lines = [f"| milliseconds, median of {repeats} | " + " | ".join(segmenters) + " |", "|---|" + "---|" * len(taken)]
    lines += [
        f"| {kind} | " + " | ".join(f"{1000 * np.median(of[kind]):.1f}" for of in taken.values()) + " |"
        for kind in ("encode", *prompts)
    ]
    engines = ", ".join(sorted({segmenter.engine for segmenter in segmenters.values()}))
    return f"Engine {engines}.\n\n" + "\n".join(lines)

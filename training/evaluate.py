"""Mean IoU on held-out photos by prompt and size, of the model and of simple baselines. Prompts are made from the
masks.

It needs only what the library needs, and no torch: it measures the shipped model.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ovseg_core.embedding import Embedding
from ovseg_core.mask import centre_of
from ovseg_core.mask_prompt import MaskPrompt
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from training import scenes

LEAST_AREA = 200  # pixels of the photo; smaller things are left out
SIZES = (("small", 32**2), ("medium", 96**2), ("large", 10**9))  # COCO's sizes: areas below these
PER_CCP_PHOTO = 4  # things of each photo of CCP, which shows many pieces of clothing

SOURCES = {"coco": "Photos of COCO, things", "ccp": "Photos of CCP, people and their clothing"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Thing:
    mask: Mask
    box: tuple[float, float, float, float]
    click: tuple[float, float]

    @property
    def size(self) -> str:
        area = int(self.mask.sum())
        return next(name for name, below in SIZES if area < below)


@dataclass(frozen=True)
class Row:
    """The result of one prompt for one thing."""

    source: str
    size: str
    prompt: str
    iou: float


def things(photo: scenes.Photo) -> list[Thing]:
    found = []
    for segment in photo.segments:
        mask = segment.mask().astype(bool)
        if mask.sum() >= LEAST_AREA and (segment.is_thing or photo.source != "coco"):
            found.append(Thing(mask, box_of(mask), centre_of(mask)))
    if photo.source != "coco":
        found = sorted(found, key=lambda thing: -int(thing.mask.sum()))[:PER_CCP_PHOTO]
    return found


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def correction(found: Mask, expected: Mask) -> tuple[tuple[float, float], int]:
    """Return a click in the middle of the larger error, where evaluations of interactive segmentation place it, and its
    label.
    """
    missing, extra = expected & ~found, found & ~expected
    label = int(missing.sum() >= extra.sum())
    error = missing if label else extra
    return (centre_of(error) if error.any() else centre_of(expected)), label


def iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max(1, (a | b).sum()))


def filled_box(pixels: NDArray[np.uint8], thing: Thing) -> Mask:
    mask = np.zeros(thing.mask.shape, bool)
    x0, y0, x1, y1 = map(int, thing.box)
    mask[y0:y1, x0:x1] = True
    return mask


def ellipse(pixels: NDArray[np.uint8], thing: Thing) -> Mask:
    x0, y0, x1, y1 = thing.box
    y, x = np.mgrid[: thing.mask.shape[0], : thing.mask.shape[1]] + 0.5
    inside: Mask = ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 < 1
    return inside


def grabcut(pixels: NDArray[np.uint8], thing: Thing) -> Mask:
    x0, y0, x1, y1 = map(int, thing.box)
    height, width = thing.mask.shape
    labels = np.zeros((height, width), np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    rectangle = (x0, y0, max(1, x1 - x0), max(1, y1 - y0))
    if rectangle[2] >= width and rectangle[3] >= height:
        return filled_box(pixels, thing)  # GrabCut needs a border of background
    try:
        cv2.grabCut(pixels, labels, rectangle, background, foreground, 5, cv2.GC_INIT_WITH_RECT)
    except cv2.error:
        return filled_box(pixels, thing)
    return (labels & 1).astype(bool)


BASELINES: dict[str, Callable[[NDArray[np.uint8], Thing], Mask]] = {
    "filled box": filled_box,
    "ellipse": ellipse,
    "GrabCut": grabcut,
}


def answers(segmenter: Segmenter, embedding: Embedding, expected: list[Thing]) -> Iterator[tuple[str, Thing, Mask]]:
    """Yield the mask of every kind of prompt for each thing of one photo."""

    def decoded(prompts: list[Prompt]) -> list[Mask]:
        return [mask.full() for mask in segmenter.decode(embedding, prompts)]

    random = np.random.default_rng(0)
    by_box = decoded([Prompt(box=thing.box) for thing in expected])
    yield from zip(["box"] * len(expected), expected, by_box, strict=True)

    def loosened(thing: Thing) -> Prompt:
        x0, y0, x1, y1 = thing.box
        sides = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
        return Prompt(box=tuple(np.array(thing.box) + random.normal(0, 0.05, 4) * sides))

    yield from zip(["box, 5 % off"] * len(expected), expected, decoded([loosened(t) for t in expected]), strict=True)
    fixes = [correction(mask, thing.mask) for mask, thing in zip(by_box, expected, strict=True)]
    with_click = [Prompt(t.box, (xy,), (label,)) for t, (xy, label) in zip(expected, fixes, strict=True)]
    yield from zip(["box and a correcting click"] * len(expected), expected, decoded(with_click), strict=True)

    clicks = [Prompt(points=(thing.click,), labels=(1,)) for thing in expected]
    candidates = segmenter.candidates(embedding, clicks)
    for thing, masks in zip(expected, candidates, strict=True):
        best = max((mask.full() for mask in masks), key=lambda found: iou(found, thing.mask))
        yield "1 click, best of 3", thing, best
    before: list[Mask] = []
    for number in range(1, 6):
        found = decoded(clicks)
        if number in (1, 2, 3, 5):
            name = f"{number} click" + "s" * (number > 1)
            yield from zip([name] * len(expected), expected, found, strict=True)
            if number > 1:
                given_back = [
                    replace(click, mask=MaskPrompt.of(mask)) for click, mask in zip(clicks, before, strict=True)
                ]
                name += " and the mask before the last"
                yield from zip([name] * len(expected), expected, decoded(given_back), strict=True)
        before = found
        for i, (thing, mask) in enumerate(zip(expected, found, strict=True)):
            xy, label = correction(mask, thing.mask)
            clicks[i] = Prompt(points=(*clicks[i].points, xy), labels=(*clicks[i].labels, label))


def rows(segmenter: Segmenter, photos: list[scenes.Photo]) -> Iterator[Row]:
    for photo in tqdm(photos, unit="photo", ascii=True, mininterval=5):
        expected = things(photo)
        if not expected:
            continue
        embedding = segmenter.encode(photo.pixels)
        for prompt, thing, mask in answers(segmenter, embedding, expected):
            yield Row(photo.source, thing.size, prompt, iou(mask, thing.mask))
        for name, baseline in BASELINES.items():
            for thing in expected:
                yield Row(photo.source, thing.size, name, iou(baseline(photo.pixels, thing), thing.mask))


def table(measured: list[Row]) -> str:
    """Return a Markdown table with a line per prompt: the mean IoU of all things, and by size."""
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in measured:
        for column in ("all", row.size):
            cells[row.prompt, column].append(row.iou)
    columns = ["all", *(name for name, _ in SIZES)]
    first = measured[0].prompt
    lines = ["| prompt | " + " | ".join(f"{c} ({len(cells[first, c])})" for c in columns) + " |"]
    lines.append("|---|" + "---|" * len(columns))
    for prompt in dict.fromkeys(row.prompt for row in measured):
        values = [cells[prompt, column] for column in columns]
        lines.append(f"| {prompt} | " + " | ".join(f"{np.mean(v):.3f}" if v else "" for v in values) + " |")
    return "\n".join(lines)


def evaluate(data: Path, report: Path, precision: str) -> None:
    """Write the tables in Markdown, and print them."""
    segmenter = Segmenter.open("SAM-Lite", precision=precision)
    _, held_out = scenes.photos(data)
    sections = []
    for source, title in SOURCES.items():
        of_source = [photo for photo in held_out if photo.source == source]
        measured = list(rows(segmenter, of_source))
        sections.append(f"{title}: {len(of_source)} photos\n\n{table(measured)}\n")
    sections.append(timings(segmenter))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(sections))
    print(report.read_text())


def timings(segmenter: Segmenter, repeats: int = 15) -> str:
    """Return a list of medians on this machine, in milliseconds."""
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    embedding = segmenter.encode(pixels)
    box, click = Prompt.of_box(100, 100, 400, 300), Prompt.of_point(300, 200)
    calls: dict[str, Callable[[], object]] = {
        "encode": lambda: segmenter.encode(pixels),
        "decode a box": lambda: segmenter.decode(embedding, [box]),
        "decode a box of 16": lambda: segmenter.decode(embedding, [box] * 16),
        "decode a click": lambda: segmenter.decode(embedding, [click]),
        "decode a click of 16": lambda: segmenter.decode(embedding, [click] * 16),
    }
    lines = [f"Engine {segmenter.engine}, milliseconds (median of {repeats}):", ""]
    for name, call in calls.items():
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            call()
            taken.append((time.perf_counter() - started) * 1000)
        each = 16 if name.endswith("16") else 1
        lines.append(f"- {name}: {np.median(taken) / each:.1f}")
    return "\n".join(lines) + "\n"

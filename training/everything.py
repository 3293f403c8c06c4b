"""Everything mode on labelled photos: how many of the labelled things it finds, and how many of its masks are junk.

An unlabelled place of a photo is not background, so a mask without a label may be right. Therefore a mask is junk only
if it is one of these, which can be seen without knowing all things of a photo:

- a duplicate: its IoU with a mask before it exceeds 0.8;
- thin: none of its pixels is farther from its edge than half a percent of the photo's longer side, so it is a speck or
  a sliver;
- scattered: its largest island has less than three quarters of its area;
- straddling: it has a part, a quarter to three quarters, of each of two labelled segments that do not overlap, and each
  of the two parts is at least a fifth of the mask.

A mask that fits a labelled segment with an IoU of 0.5 or more is junk only if it is a duplicate.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ovseg_core.segmenter import Segmenter
from training import things
from training.figures import mean_and_error
from training.photos import Photo, split
from training.things import SIZES, Mask

COUNTS = (100, 1000)  # masks of a photo that count for recall
IOUS = np.arange(0.5, 0.951, 0.05)  # COCO's: the average recall is the mean over them
FITS = 0.5  # IoU of a mask that fits a labelled segment
DUPLICATE = 0.8  # IoU
THIN = 0.005  # of the photo's longer side
LARGEST_ISLAND = 0.75  # of the mask's area
PART = (0.25, 0.75)  # of a labelled segment
SHARE = 0.2  # of the mask


@dataclass(frozen=True)
class Measured:
    """What everything mode found in one photo. The masks are in the order in which it returned them."""

    sizes: NDArray[np.str_]  # (things,), see `things.SIZES`
    iou: NDArray[np.float64]  # (masks, things)
    junk: dict[str, NDArray[np.bool_]]  # (masks,) by the kind of junk
    cpu_s: float

    def best(self, count: int) -> NDArray[np.float64]:
        """Return the IoU of each thing with the best of the first `count` masks."""
        return self.iou[:count].max(0, initial=0)


def measured(photo: Photo, segmenter: Segmenter, changes: Mapping[str, Any]) -> Measured:
    """Run everything mode on a photo, with some of the model's options changed."""
    pixels, started = photo.pixels(), time.process_time()
    *_, last = segmenter.everything(pixels, **changes)
    cpu_s = time.process_time() - started
    masks = [answer.mask.full() for answer in last.answers]
    expected = things.of(photo)
    labelled = [segment.mask().astype(bool) for segment in photo.segments]
    return Measured(
        np.array([thing.size for thing in expected], np.str_),
        overlaps(masks, [thing.mask for thing in expected]).iou,
        junk(masks, labelled),
        cpu_s,
    )


@dataclass(frozen=True)
class Overlaps:
    """Areas in pixels of masks (N), of other masks (M), and of what they share (N, M)."""

    areas: NDArray[np.float64]
    other_areas: NDArray[np.float64]
    shared: NDArray[np.float64]

    @property
    def iou(self) -> NDArray[np.float64]:
        union = self.areas[:, None] + self.other_areas - self.shared
        return self.shared / np.maximum(union, 1)


def overlaps(masks: Sequence[Mask], others: Sequence[Mask]) -> Overlaps:
    # The products of float32 are exact: no photo of the sets has 2^24 pixels.
    a, b = (
        np.stack([mask.ravel() for mask in several]).astype(np.float32)
        if len(several)
        else np.zeros((0, 1), np.float32)
        for several in (masks, others)
    )
    shared = (a @ b.T if len(a) and len(b) else np.zeros((len(a), len(b)))).astype(np.float64)
    return Overlaps(a.sum(1, dtype=np.float64), b.sum(1, dtype=np.float64), shared)


def junk(masks: Sequence[Mask], labelled: Sequence[Mask]) -> dict[str, NDArray[np.bool_]]:
    """Return for each kind of junk which masks are it; the module's docstring defines the kinds."""
    with_labels = overlaps(masks, labelled)
    fits = with_labels.iou.max(1, initial=0) >= FITS
    earlier = np.tril(overlaps(masks, masks).iou, -1)
    return {
        "duplicate": earlier.max(1, initial=0) > DUPLICATE,
        "thin": ~fits & np.array([is_thin(mask) for mask in masks], bool),
        "scattered": ~fits & np.array([is_scattered(mask) for mask in masks], bool),
        "straddling": ~fits & straddle(with_labels, overlaps(labelled, labelled)),
    }


def is_thin(mask: Mask) -> bool:
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)
    return float(depth.max()) < THIN * max(mask.shape)


def is_scattered(mask: Mask) -> bool:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    islands = stats[1:, cv2.CC_STAT_AREA]
    return bool(islands.max(initial=0) < LARGEST_ISLAND * islands.sum())


def straddle(of: Overlaps, labelled: Overlaps) -> NDArray[np.bool_]:
    """Return which masks straddle the edge between two labelled segments."""
    part = of.shared / np.maximum(of.other_areas, 1)
    is_part = (part >= PART[0]) & (part <= PART[1]) & (of.shared >= SHARE * of.areas[:, None])
    smaller = np.minimum(labelled.areas[:, None], labelled.other_areas)
    are_apart = labelled.shared < 0.1 * smaller  # the outlines of neighbours overlap a little
    pairs: NDArray[np.bool_] = np.einsum("ms,st,mt->m", *(x.astype(int) for x in (is_part, are_apart, is_part))) > 0
    return pairs


def row(name: str, photos: Sequence[Measured]) -> list[str]:
    """Return a line of the table: means over all things and all masks of the photos."""
    sizes = np.concatenate([photo.sizes for photo in photos])
    of_photo = [str(i) for i, photo in enumerate(photos) for _ in photo.sizes]
    best = {count: np.concatenate([photo.best(count) for photo in photos]) for count in COUNTS}
    kinds = {kind: np.concatenate([photo.junk[kind] for photo in photos]) for kind in photos[0].junk}
    cells = [name]
    for count in COUNTS:
        recall = (best[count][:, None] >= IOUS).mean(1)
        mean, error = mean_and_error(recall, of_photo) if len(sizes) else (np.nan, np.nan)
        cells += [_share(best[count] >= FITS), f"{mean:.3f}", f"{error:.3f}"]
    cells += [_share(best[COUNTS[0]][sizes == size] >= FITS) for size, _ in SIZES]
    cells += [_share(np.any(list(kinds.values()), axis=0)), *(_share(kind) for kind in kinds.values())]
    cells += [f"{np.mean([len(photo.iou) for photo in photos]):.0f}", f"{np.mean([p.cpu_s for p in photos]):.1f}"]
    return cells


def _share(values: NDArray[np.bool_]) -> str:
    return f"{values.mean():.3f}" if len(values) else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the lines of `row` as a Markdown table."""
    columns = [
        "options",
        *(f"{name}{count:,}" for count in COUNTS for name in ("R@", "AR@", "± AR@")),
        *(f"R@{COUNTS[0]} {size}" for size, _ in SIZES),
        "junk",
        *junk([], []),
        "masks",
        "CPU s",
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows))


def combinations(values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the values of some options."""
    for chosen in itertools.product(*values.values()):
        yield dict(zip(values, chosen, strict=True))


def evaluate(
    folders: Sequence[Path],
    report: Path,
    segmenter: Segmenter,
    search: Mapping[str, Sequence[Any]] | None,
    count: int | None,
) -> None:
    """Write the tables in Markdown, and print them.

    Args:
        folders: photos in COCO's format.
        report: the file to write.
        segmenter: the model to measure.
        search: None to measure the model's own options on held-out photos. Otherwise values of some options: every
            combination of them is measured on photos that are not held out.
        count: the maximum number of photos of each group; None for all.
    """
    photos = split(folders)
    of, measure = "held-out", photos.held_out
    wanted: list[dict[str, Any]] = [{}]
    if search:
        of, measure, wanted = "other", photos.trial or photos.train, list(combinations(search))
    sections = []
    for group, several in things.by_group(measure).items():
        title = f"{things.GROUPS[group]}: {len(several[:count])} {of} photos"
        sections.append(f"{title}\n\n{compared(several[:count], segmenter, wanted)}\n")
        print(sections[-1], flush=True)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n".join(sections))


def compared(photos: Sequence[Photo], segmenter: Segmenter, wanted: Sequence[Mapping[str, Any]]) -> str:
    """Return the table with a line for each set of changed options."""
    found: list[list[Measured]] = [[] for _ in wanted]
    for photo in tqdm(photos, unit="photo", ascii=True, mininterval=5):
        for changes, results in zip(wanted, found, strict=True):
            results.append(measured(photo, segmenter, changes))
    names = [", ".join(f"{name} {value}" for name, value in changes.items()) or "default" for changes in wanted]
    return table([row(name, results) for name, results in zip(names, found, strict=True)])

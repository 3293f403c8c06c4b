"""Text prompts on photos with named objects: from phrases to boxes, by a detector, and from boxes to masks, by a SAM.

Each name of the labels is a phrase. All names are searched in each photo, or, if the labels list what is known to be
absent (LVIS), the names that count there: what is found for another name could not be judged. Average precision counts
the 300 best objects of a photo, with any score. A false answer is an object with a score above a threshold for a name
that is absent.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ovseg_core import header, image
from ovseg_core.grounding_dino.detections import Detections
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from training.named_objects import MAX_OBJECTS, NamedObjects, Photo

ANY_SCORE = DetectionOptions(box_threshold=0, text_threshold=0, max_objects=MAX_OBJECTS)
THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)  # of scores; 0.3 is the default of `box_threshold`


@dataclass(frozen=True)
class Found:
    """What was found in one photo.

    Attributes:
        photo: the photo.
        categories: (N,) of the objects, those with the highest scores first.
        boxes_xyxy: (N, 4), in pixels.
        scores: (N,), from 0 to 1.
        masks: N.
        seconds: of CPU time by step.
    """

    photo: Photo
    categories: np.ndarray
    boxes_xyxy: np.ndarray
    scores: np.ndarray
    masks: Sequence[Mask]
    seconds: dict[str, float]

    def results(self) -> Iterator[dict[str, Any]]:
        """Yield the objects as in COCO's files of results."""
        rows = zip(self.categories.tolist(), self.boxes_xyxy.tolist(), self.scores.tolist(), self.masks, strict=True)
        for category, (x0, y0, x1, y1), score, mask in rows:
            segmentation = {"size": list(mask.image_hw), "counts": mask.counts}
            of_object = {"image_id": self.photo.id, "category_id": category, "score": score}
            yield of_object | {"bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": segmentation}

    def answered(self, categories: frozenset[int], threshold: float) -> int:
        """Return how many of these names have an object with a score above the threshold."""
        return len(categories.intersection(self.categories[self.scores > threshold].tolist()))


class Clock:
    """CPU seconds of all threads, by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def note(self, step: str) -> None:
        """Note the time since the step before."""
        now = time.process_time()
        self.seconds[step], self._last = now - self._last, now


def measured(photo: Photo, names: dict[int, str], detector: Detector, segmenter: Segmenter) -> Found:
    """Search the names that count in a photo, and make the masks of what is found."""
    pixels = image.decode(photo.path.read_bytes(), header.MOST_PIXELS)
    categories = [category for category in names if category in photo.present | photo.absent]
    clock = Clock()
    encoded = detector.encode(pixels)
    clock.note("image, detector")
    found = detector.detect(encoded, [names[category] for category in categories], ANY_SCORE)
    clock.note("names")
    kept = _with_area(found)
    embedding = segmenter.encode(pixels)
    clock.note("image, model of masks")
    masks = segmenter.decode(embedding, [Prompt.of_box(*box) for box in kept.boxes_xyxy.tolist()])
    clock.note("masks")
    return Found(photo, np.array(categories)[kept.phrases], kept.boxes_xyxy, kept.scores, masks, clock.seconds)


def _with_area(found: Detections) -> Detections:
    """Leave out boxes that are beyond the image: they have no area in it."""
    sides = found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]
    return found.rows(np.flatnonzero((sides > 0).all(axis=1)))


def evaluate(data: Path, report: Path, detector: Detector, segmenter: Segmenter, count: int | None) -> None:
    """Write the tables in Markdown, and print them.

    Args:
        data: a folder with annotations.json (COCO or LVIS) and images/.
        report: the file to write.
        detector: what finds the boxes.
        segmenter: what makes the masks.
        count: the number of photos, drawn at random, the same each time; None for all.
    """
    labels = NamedObjects(data)
    photos = labels.photos
    if count is not None and count < len(photos):
        photos = random.Random(2026).sample(photos, count)
    of_photos = tqdm(photos, unit="photo", ascii=True, mininterval=5)
    found = [measured(photo, labels.names, detector, segmenter) for photo in of_photos]
    tables = [precision(labels, found), answers(found), seconds(found)]
    title = f"{len(photos)} photos, {len(labels.names)} names; masks by {segmenter.spec.name}, {segmenter.engine}"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text("\n\n".join([title, *tables]) + "\n")
    print(report.read_text())


def precision(labels: NamedObjects, found: Sequence[Found]) -> str:
    """Return the table of average precision, of boxes and of masks, in percent as is usual."""
    photos, results = [each.photo for each in found], [result for each in found for result in each.results()]
    kinds = {"boxes": "bbox", "masks": "segm"} if labels.has_masks else {"boxes": "bbox"}
    of_kinds = {name: labels.precision(results, photos, kind).rows() for name, kind in kinds.items()}
    columns = list(of_kinds["boxes"])
    rows = [[name, *(_percent(row[column]) for column in columns)] for name, row in of_kinds.items()]
    return _table(["", *columns], rows)


def answers(found: Sequence[Found]) -> str:
    """Return the table of names that are answered: of present ones, which is right, and of absent ones."""
    rows = []
    for threshold in THRESHOLDS:
        shares = []
        for kind in ("present", "absent"):
            names = [getattr(each.photo, kind) for each in found]
            asked = sum(map(len, names))
            answered = sum(each.answered(those, threshold) for each, those in zip(found, names, strict=True))
            shares.append(_percent(answered / asked if asked else None))
        rows.append([f"{threshold}", *shares])
    return _table(["score above", "present names answered, %", "false: absent names answered, %"], rows)


def seconds(found: Sequence[Found]) -> str:
    """Return the table of CPU seconds for a photo, by step: the median, which leaves out the first preparation."""
    steps = list(found[0].seconds)
    names = np.mean([len(each.photo.present | each.photo.absent) for each in found])
    medians = [f"{np.median([each.seconds[step] for each in found]):.2f}" for step in steps]
    masks = f"{np.mean([len(each.masks) for each in found]):.0f}"
    columns = [step if step != "names" else f"{names:.0f} names" for step in steps]
    columns[-1] = f"{masks} masks"
    return _table(["CPU seconds of", *columns], [["a photo", *medians]])


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows))

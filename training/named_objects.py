"""Photos with named objects, in COCO's or LVIS' format, and the average precision of found objects.

A folder has annotations.json and images/. In LVIS, not every object of a photo is labelled: a name counts in a photo
only if it has a label there or is known to be absent (`neg_category_ids`), and if its labels there are not all
(`not_exhaustive_category_ids`), a found object without a label is no error.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}  # LVIS': of a name in its training photos
AREAS = ("all", "small", "medium", "large")  # pycocotools' order
MAX_OBJECTS = 300  # of a photo that count: LVIS' number, and Grounding DINO's for COCO


@dataclass(frozen=True)
class Photo:
    """A photo, and the names that count in it.

    Attributes:
        id: its number in the annotations.
        path: its file.
        present: the categories with a label in it.
        absent: the categories that are known not to be in it.
        not_exhaustive: the categories of which not every object is labelled.
    """

    id: int
    path: Path
    present: frozenset[int]
    absent: frozenset[int]
    not_exhaustive: frozenset[int]


class NamedObjects:
    """The labels of a folder of photos.

    Raises OSError if there is no annotations.json, and ValueError if it lacks what the measurement needs.
    """

    def __init__(self, folder: Path) -> None:
        given = json.loads((folder / "annotations.json").read_text())
        if missing := [key for key in ("images", "annotations", "categories") if not given.get(key)]:
            raise ValueError(f"{folder / 'annotations.json'} has no {', '.join(missing)}")
        for label in given["annotations"]:
            label.setdefault("iscrowd", 0)  # LVIS has none
            label.setdefault("area", label["bbox"][2] * label["bbox"][3])
        self._labels = COCO()
        self._labels.dataset = given
        with _quiet():
            self._labels.createIndex()
        self.names = {category["id"]: category["name"].replace("_", " ") for category in given["categories"]}
        self.frequencies = {c["id"]: FREQUENCIES[c["frequency"]] for c in given["categories"] if "frequency" in c}
        self.has_masks = all(label.get("segmentation") for label in given["annotations"])
        self.photos = [self._photo(image, folder / "images") for image in given["images"]]

    def _photo(self, image: Mapping[str, Any], folder: Path) -> Photo:
        labels = self._labels.imgToAnns.get(image["id"], [])
        present = frozenset(label["category_id"] for label in labels)
        absent = frozenset(image.get("neg_category_ids", self.names)) - present
        name = image.get("file_name") or Path(image["coco_url"]).name
        return Photo(
            image["id"], folder / name, present, absent, frozenset(image.get("not_exhaustive_category_ids", ()))
        )

    def precision(self, found: Sequence[Mapping[str, Any]], photos: Sequence[Photo], kind: str) -> Precision:
        """Compare the objects that were found in some of the photos with their labels.

        Args:
            found: objects as in COCO's files of results, with `image_id`, `category_id`, `score`, and `bbox` (x, y,
                width, height) or `segmentation`.
            photos: the photos.
            kind: what is compared: "bbox" or "segm".
        """
        counts = {photo.id: photo.present | photo.absent for photo in photos}
        counted = [dict(object_) for object_ in found if object_["category_id"] in counts[object_["image_id"]]]
        with _quiet():
            judge = _Judge(self._labels, self._labels.loadRes(counted) if counted else COCO(), iouType=kind)
            judge.not_exhaustive = {photo.id: photo.not_exhaustive for photo in photos}
            judge.params.imgIds = [photo.id for photo in photos]
            judge.params.maxDets = [MAX_OBJECTS]
            judge.evaluate()
            judge.accumulate()
        return Precision(judge.eval["precision"][..., -1], [self.frequencies.get(i) for i in judge.params.catIds])


class _Judge(COCOeval):
    """pycocotools' evaluation. An object without a label is no error if not all objects of its name are labelled."""

    not_exhaustive: Mapping[int, frozenset[int]] = {}

    def evaluateImg(self, imgId: int, catId: int, aRng: Any, maxDet: int) -> dict[str, Any] | None:  # noqa: N802, N803
        compared: dict[str, Any] | None = super().evaluateImg(imgId, catId, aRng, maxDet)
        if compared is not None and catId in self.not_exhaustive[imgId]:
            compared["dtIgnore"] = compared["dtIgnore"] | (compared["dtMatches"] == 0)
        return compared


@dataclass(frozen=True)
class Precision:
    """Precision at 101 recalls, (IoUs, recalls, names, areas), -1 for names without a label; the frequency of each
    name.
    """

    values: np.ndarray
    frequencies: Sequence[str | None]

    def rows(self) -> dict[str, float | None]:
        """Return means over the names with a label, from 0 to 1, None if there is no such name: AP (over the IoUs from
        0.5 to 0.95), AP50 (at the IoU 0.5), AP of objects of each size, and of names of each frequency.
        """
        of_all = self.values[..., 0]
        found = {"AP": _mean(of_all), "AP50": _mean(of_all[0])}
        found |= {f"AP {area}": _mean(self.values[..., i]) for i, area in enumerate(AREAS) if i}
        for frequency in FREQUENCIES.values():
            chosen = np.array([name == frequency for name in self.frequencies])
            found[f"AP {frequency}"] = _mean(of_all[:, :, chosen])
        return found


def _mean(values: np.ndarray) -> float | None:
    known = values[values > -1]
    return float(known.mean()) if known.size else None


def _quiet() -> contextlib.AbstractContextManager[object]:
    """Swallow what pycocotools prints."""
    return contextlib.redirect_stdout(io.StringIO())

"""Photos with segments, in COCO's format: which of them are trained on, and which are held out."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

# Names of files that training never sees, for the packs that SAM-Lite was trained on; one a line.
HELD_OUT = Path(__file__).parent / "held_out.txt"
HELD_OUT_SHARE = 0.1  # of the photos of a folder without any of these files
NOT_FREE = ("NonCommercial", "NoDerivs")  # words in the licence of a photo that is not trained on

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Segment:
    rle: dict[str, object]
    is_thing: bool
    box: tuple[float, float, float, float]  # x, y, width, height

    def mask(self) -> Image:
        decoded: Image = coco_mask.decode(self.rle)
        return decoded


@dataclass(frozen=True)
class Photo:
    source: str
    name: str  # of its file
    is_free: bool  # False if its licence has a word of `NOT_FREE`
    jpeg: NDArray[np.uint8] = field(repr=False)
    segments: list[Segment] = field(repr=False)

    def pixels(self) -> Image:
        """Decode the pixels (h, w, 3), RGB. They are not kept: five thousand photos would take 3 GB."""
        decoded = cv2.imdecode(self.jpeg, cv2.IMREAD_COLOR)
        if decoded is None:
            raise ValueError(f"{self.name} is not an image that OpenCV can read")
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Split:
    """Photos by what they are for.

    Attributes:
        train: what a model learns from.
        trial: photos that are not free and not held out. Designs and thresholds are compared on them.
        held_out: what a model is measured on.
    """

    train: list[Photo]
    trial: list[Photo]
    held_out: list[Photo]


def split(folders: Iterable[Path]) -> Split:
    """Read folders with annotations.json (COCO's format) and images/, and divide their photos.

    Held out are the files in `HELD_OUT`, and a tenth of each folder that has none of these files.
    """
    listed = frozenset(HELD_OUT.read_text().split())
    train: list[Photo] = []
    trial: list[Photo] = []
    held_out: list[Photo] = []
    for folder in folders:
        photos = read(folder)
        names = listed if any(photo.name in listed for photo in photos) else _drawn(photos)
        for photo in photos:
            (held_out if photo.name in names else train if photo.is_free else trial).append(photo)
    return Split(train, trial, held_out)


def _drawn(photos: Sequence[Photo]) -> frozenset[str]:
    """Return the names of a random part of the photos, always of the same."""
    count = max(1, round(HELD_OUT_SHARE * len(photos)))
    return frozenset(photo.name for photo in random.Random(2026).sample(photos, count))


def read(folder: Path) -> list[Photo]:
    """Return the photos of a folder that have segments, in the order of their names."""
    listed = json.loads((folder / "annotations.json").read_text())
    images = {image["id"]: image for image in listed["images"]}
    segments: dict[int, list[Segment]] = {}
    for label in listed["annotations"]:
        if not label.get("iscrowd"):
            image = images[label["image_id"]]
            rle = rle_of(label["segmentation"], image)
            box = tuple(coco_mask.toBbox(rle).tolist())
            if min(box[2:]) >= 1:
                segments.setdefault(image["id"], []).append(Segment(rle, label.get("kind", "thing") == "thing", box))
    return [
        Photo(
            image.get("source", folder.name),
            image["file_name"],
            not any(word in str(image.get("license")) for word in NOT_FREE),
            np.fromfile(folder / "images" / image["file_name"], np.uint8),
            segments[image["id"]],
        )
        for image in sorted(images.values(), key=lambda image: image["file_name"])
        if image["id"] in segments
    ]


def rle_of(segmentation: Any, image: Mapping[str, Any]) -> dict[str, object]:
    """Return COCO's compressed RLE of any form of a segmentation: RLE, also as a string, or polygons."""
    if isinstance(segmentation, str):
        segmentation = ast.literal_eval(segmentation)
    if isinstance(segmentation, dict) and not isinstance(segmentation["counts"], list):
        rle: dict[str, object] = segmentation
        return rle
    found = coco_mask.frPyObjects(segmentation, image["height"], image["width"])
    merged: dict[str, object] = coco_mask.merge(found) if isinstance(found, list) else found
    return merged

"""The labelled things of a photo that prompts are made for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ovseg_core.mask import centre_of
from training.photos import Photo

LEAST_AREA = 200  # pixels of the photo; smaller things are left out
SIZES = (("small", 32**2), ("medium", 96**2), ("large", 10**9))  # COCO's sizes: areas below these
PER_PHOTO = 4  # things of each photo that is not COCO's: CCP shows many pieces of clothing
GROUPS = {
    "coco": "Photos of COCO, things",
    "ccp": "Photos of CCP, people and their clothing",
    "others": "Other photos",
}

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


def of(photo: Photo) -> list[Thing]:
    found = []
    for segment in photo.segments:
        mask = segment.mask().astype(bool)
        if mask.sum() >= LEAST_AREA and (segment.is_thing or photo.source != "coco"):
            found.append(Thing(mask, box_of(mask), centre_of(mask)))
    if photo.source != "coco":
        found = sorted(found, key=lambda thing: -int(thing.mask.sum()))[:PER_PHOTO]
    return found


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def by_group(photos: list[Photo]) -> dict[str, list[Photo]]:
    """Return the photos of each of `GROUPS` that has any."""
    groups: dict[str, list[Photo]] = {name: [] for name in GROUPS}
    for photo in photos:
        groups[photo.source if photo.source in groups else "others"].append(photo)
    return {name: several for name, several in groups.items() if several}

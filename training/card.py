"""`python -m training card --photos DIR`: draw docs/sam-lite.jpg and docs/everything.jpg.

DIR is `skimage/data` of scikit-image's wheel, whose photos are in the public domain or CC0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ovseg_core import answer, image, overlay
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

TILE = (400, 267)  # width and height of a picture
GAP = 6

EXAMPLES: tuple[tuple[str, tuple[Prompt, ...]], ...] = (
    ("coffee.png", (Prompt.of_box(172, 14, 412, 246), Prompt.of_box(320, 66, 425, 328))),
    ("motorcycle_left.png", (Prompt.of_box(100, 68, 683, 450),)),
    ("coins.png", (Prompt.of_box(305, 14, 365, 72), Prompt.of_point(271, 119), Prompt.of_point(171, 50))),
    ("chelsea.png", (Prompt.of_box(30, 0, 362, 300),)),
    ("rocket.jpg", (Prompt.of_box(306, 126, 336, 408),)),
    ("coffee.png", (Prompt.of_point(120, 250),)),
)


EVERYTHING = ("coffee.png", "coins.png", "motorcycle_left.png")  # photos that are segmented without prompts


def draw(photos: Path, to: Path) -> None:
    """Write sam-lite.jpg and everything.jpg to the folder `to`."""
    segmenter = Segmenter.open("SAM-Lite", precision="float32")
    _write([_prompted(segmenter, photos / name, prompts) for name, prompts in EXAMPLES], to / "sam-lite.jpg")
    _write([_without_prompts(segmenter, photos / name) for name in EVERYTHING], to / "everything.jpg")


def _write(tiles: Sequence[NDArray[np.uint8]], to: Path) -> None:
    rows = [np.hstack(tiles[i : i + 3]) for i in range(0, len(tiles), 3)]
    if not cv2.imwrite(str(to), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise OSError(f"{to} cannot be written")


def _prompted(segmenter: Segmenter, photo: Path, prompts: tuple[Prompt, ...]) -> NDArray[np.uint8]:
    pixels = image.decode(photo.read_bytes(), 10**8)
    masks = segmenter.decode(segmenter.encode(pixels), prompts)
    print(f"{photo.name}: " + ", ".join(f"{mask.score:.2f}" for mask in masks))
    return _tile(overlay.draw(pixels, answer.of(prompts, [[mask] for mask in masks]), prompts))


def _without_prompts(segmenter: Segmenter, photo: Path) -> NDArray[np.uint8]:
    pixels = image.decode(photo.read_bytes(), 10**8)
    *_, last = segmenter.everything(pixels)
    print(f"{photo.name}: {len(last.answers)} masks")
    return _tile(overlay.draw(pixels, last.answers, []))


def _tile(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(TILE[0] / picture.shape[1], TILE[1] / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((TILE[1] + GAP, TILE[0] + GAP, 3), 255, np.uint8)
    top, left = (TILE[1] - small.shape[0]) // 2, (TILE[0] - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile

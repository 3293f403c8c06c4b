"""The prompts of `ovseg models check`: objects in the photo of the demo, which have clear outlines."""

from __future__ import annotations

from typing import Any

import numpy as np

from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt

HEAD, SHUTTLE, HELMET = (140, 10, 305, 180), (340, 4, 462, 300), (278, 345, 505, 512)  # x0, y0, x1, y1 in pixels
PHOTO_HW = (512, 512)


def _ellipse(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """Return the mask (H, W) bool of the ellipse in a box of the photo."""
    y, x = np.mgrid[: PHOTO_HW[0], : PHOTO_HW[1]]
    ellipse: np.ndarray = ((2 * x - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y - y0 - y1) / (y1 - y0)) ** 2 <= 1
    return ellipse


QUESTIONS: dict[str, list[Prompt]] = {  # by their kind, one of `prompts.KINDS`
    "box": [Prompt.of(box) for box in (HEAD, SHUTTLE, HELMET)],
    "point": [Prompt.of(points=[xy]) for xy in ((220, 90), (390, 430), (100, 400))],  # head, visor, suit
    "points": [Prompt.of(points=[(100, 400), (390, 430)], labels=[1, 0])],  # the suit without the helmet
    "mixed": [Prompt.of(HEAD, [(220, 90), (300, 20)], [1, 0])],  # the second point is on the background
    "mask": [Prompt.of(mask=_ellipse(*HEAD))],
}

# Everything mode with a few points: on each of the three objects, on the suit, the flag and the background. The
# thresholds are below those of every model, so that the check does not depend on them.
EVERYTHING: dict[str, Any] = {
    "point_grids": [[[0.43, 0.18], [0.78, 0.3], [0.76, 0.84], [0.2, 0.78], [0.05, 0.2], [0.65, 0.1]]],
    "pred_iou_thresh": 0.1,
    "stability_score_thresh": 0.5,
}


def of_model(spec: ModelSpec) -> dict[str, list[Prompt]]:
    """Return the prompts that an installed model can take, by their kind."""
    return {kind: prompts for kind, prompts in QUESTIONS.items() if kind in spec.takes}

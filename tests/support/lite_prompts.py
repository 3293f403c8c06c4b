"""Prompts on the demo's photo, in pixels of the canvas. tests/data/sam_lite_reference.npz has SAM-Lite's outputs.

`training/references.py` wrote it: every eighth channel and fourth cell of the maps; every second logit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ovseg_core.network import PromptBatch

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "ovseg" / "photos" / "astronaut.jpg"
REFERENCE = ROOT / "tests" / "data" / "sam_lite_reference.npz"


def _array(*rows: object) -> np.ndarray:
    return np.array(rows, np.float32)


PROMPTS = {
    "box": PromptBatch(_array([140, 10, 305, 180], [340, 4, 462, 300])),
    "click": PromptBatch(None, _array([[220, 90]], [[400, 120]]), _array([1], [1])),
    "clicks": PromptBatch(None, _array([[390, 430], [150, 330], [300, 400]]), _array([1, 0, 1])),
    "box_clicks": PromptBatch(_array([278, 300, 512, 512]), _array([[390, 430], [300, 310]]), _array([1, 0])),
}

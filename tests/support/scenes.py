"""Drawn scenes with known things: six plain shapes on a gradient, with a little noise."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

HEIGHT, WIDTH = 480, 640
COLUMNS, ROWS = 3, 2


class Thing(NamedTuple):
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 tightly around it, in pixels
    middle: tuple[float, float]


def scene(seed: int) -> tuple[np.ndarray, list[Thing]]:
    """Return RGB pixels (HEIGHT, WIDTH, 3) uint8, and the things in them: three rectangles, three ellipses."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    drawn = np.stack([60 + 80 * x / WIDTH, 90 + 60 * y / HEIGHT, 140 - 50 * x / WIDTH], -1)
    things = []
    for i in range(COLUMNS * ROWS):
        middle = ((i % COLUMNS + 0.5) * WIDTH / COLUMNS, (i // COLUMNS + 0.5) * HEIGHT / ROWS)
        half = random.uniform(30, 90, 2)
        colour = random.uniform(0, 255, 3).tolist()
        x0, y0, x1, y1 = (int(v) for v in (*(middle - half), *(middle + half)))
        if i % 2:
            cv2.ellipse(drawn, (middle, tuple(2 * half), 0), colour, cv2.FILLED)
        else:
            cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, cv2.FILLED)
        things.append(Thing((x0, y0, x1 + 1, y1 + 1), middle))
    return np.clip(drawn + random.normal(0, 4, drawn.shape), 0, 255).astype(np.uint8), things

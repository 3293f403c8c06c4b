"""A small network without weights that segments what a click means by its brightness: three masks for each click."""

from __future__ import annotations

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.network import DecodeBatch, Features, PromptBatch, image_by_image

CANVAS, CELLS = 256, 64
REACHES = (0.15, 0.4, 0.8)  # of the three masks, as shares of the canvas
TOLERANCES = (0.3, 0.6, 1.2)  # the same, in units of the normalised brightness


class ClickNetwork:
    """A `network.Network` whose features are the brightness of each cell, (CELLS, CELLS) float32."""

    canvas_size = CANVAS

    def __init__(self) -> None:
        self.decoded = 0  # number of clicks

    def encode(self, canvases: np.ndarray) -> list[Features]:
        return [(brightness(canvas),) for canvas in canvases]

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        assert prompts.points is not None
        assert multimask_output
        self.decoded += len(prompts.points)
        logits, iou = answer(features[0], prompts.points[:, 0])
        canvas = np.array([0, 0, CANVAS, CANVAS], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        return image_by_image(self, batch, multimask_output)


def brightness(canvas: np.ndarray) -> np.ndarray:
    """Return the mean of each cell of a canvas (3, S, S), rounded so that another order of sums gives the same."""
    side = CANVAS // CELLS
    means = canvas.reshape(3, CELLS, side, CELLS, side).mean((0, 2, 4), dtype=np.float64)
    rounded: np.ndarray = (np.round(means * 64) / 64).astype(np.float32)
    return rounded


def answer(cells: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (N, 3, CELLS, CELLS) and predicted IoU (N, 3) of clicks (N, 2) in canvas pixels.

    The predicted IoU is a pseudo-random number between 0.8 and 1 that depends on the click and on the mask: no two are
    nearly equal, so that the order of masks does not depend on rounding.
    """
    x, y = (np.round(points.astype(float) * 4) / 4).T
    columns, rows = (np.clip((v * CELLS / CANVAS).astype(int), 0, CELLS - 1) for v in (x, y))
    centre = (np.arange(CELLS) + 0.5) * CANVAS / CELLS
    distance = np.hypot(centre[None, None] - x[:, None, None], centre[None, :, None] - y[:, None, None]) / CANVAS
    difference = np.abs(cells[None] - cells[rows, columns][:, None, None])
    logits = np.stack(
        [12 * (1 - difference / t - (distance / r) ** 2) for t, r in zip(TOLERANCES, REACHES, strict=True)], axis=1
    )
    iou = [0.8 + 0.2 * np.modf(1e4 * np.abs(np.sin(12.99 * x + 78.23 * y + 3.7 * mask)))[0] for mask in range(3)]
    return logits.astype(np.float32), np.stack(iou, axis=1).astype(np.float32)

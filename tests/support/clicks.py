"""A small network without weights that segments what a click means by its brightness: three masks for each click."""

from __future__ import annotations

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.network import DecodeBatch, Features, PromptBatch, image_by_image

CANVAS, CELL = 256, 4  # pixels along the side of the canvas, and of a cell of its logits
REACHES = (0.15, 0.4, 0.8)  # of the three masks, as shares of the canvas
TOLERANCES = (0.3, 0.6, 1.2)  # the same, in units of the normalised brightness


class ClickNetwork:
    """A `network.Network` whose features are the brightness of each cell, (S/4, S/4) float32."""

    def __init__(self, canvas_size: int = CANVAS) -> None:
        self.canvas_size = canvas_size
        self.decoded = 0  # number of clicks

    def encode(self, canvases: np.ndarray) -> list[Features]:
        return [(brightness(canvas),) for canvas in canvases]

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        assert prompts.points is not None
        assert multimask_output
        self.decoded += len(prompts.points)
        logits, iou = answer(features[0], prompts.points[:, 0])
        canvas = np.array([0, 0, self.canvas_size, self.canvas_size], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        return image_by_image(self, batch, multimask_output)


def brightness(canvas: np.ndarray) -> np.ndarray:
    """Return the mean of each cell of a canvas (3, S, S), (S/4, S/4).

    It is rounded, so that another order of sums gives the same.
    """
    cells = canvas.shape[1] // CELL
    means = canvas.reshape(3, cells, CELL, cells, CELL).mean((0, 2, 4), dtype=np.float64)
    rounded: np.ndarray = (np.round(means * 64) / 64).astype(np.float32)
    return rounded


def answer(cells: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (N, 3, S/4, S/4) and predicted IoU (N, 3) of clicks (N, 2) in canvas pixels.

    `cells` (S/4, S/4) are the brightness. The predicted IoU is a pseudo-random number between 0.8 and 1 that depends on
    the click and on the mask: no two are nearly equal, so that the order of masks does not depend on rounding.
    """
    x, y = (np.round(points.astype(float) * 4) / 4).T
    columns, rows = (np.clip((v / CELL).astype(int), 0, len(cells) - 1) for v in (x, y))
    centre = ((np.arange(len(cells)) + 0.5) * CELL).astype(np.float32)
    across, down = (np.square((centre - v[:, None]) / (len(cells) * CELL)).astype(np.float32) for v in (x, y))
    distance = across[:, None, :] + down[:, :, None]  # squared, as a share of the canvas
    difference = np.abs(cells[None] - cells[rows, columns][:, None, None])
    logits = np.stack(
        [12 * (1 - difference / t - distance / r**2) for t, r in zip(TOLERANCES, REACHES, strict=True)], axis=1
    )
    iou = [0.8 + 0.2 * np.modf(1e4 * np.abs(np.sin(12.99 * x + 78.23 * y + 3.7 * mask)))[0] for mask in range(3)]
    return logits.astype(np.float32), np.stack(iou, axis=1).astype(np.float32)

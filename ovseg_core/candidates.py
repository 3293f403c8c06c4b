"""The masks that a network proposes for prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """M possible masks for each of N prompts.

    Attributes:
        logits: (N, M, h, w) float32, low resolution.
        regions: (N, M, 4) float32, the box (x0, y0, x1, y1) that the logits cover, in canvas pixels.
        iou: (N, M) float32, the predicted IoU of each mask, 0 to 1; NaN if the network predicts none.
    """

    logits: np.ndarray
    regions: np.ndarray
    iou: np.ndarray

    @classmethod
    def joined(cls, several: Sequence[Candidates]) -> Candidates:
        """Join the candidates of several groups of prompts, in their order."""
        arrays = zip(*((one.logits, one.regions, one.iou) for one in several), strict=True)
        return several[0] if len(several) == 1 else cls(*map(np.concatenate, arrays))

    def split(self, counts: Sequence[int]) -> list[Candidates]:
        """Split by prompts: the first `counts[0]` prompts, the next `counts[1]`, and so on."""
        ends = np.cumsum(counts)[:-1]
        pieces = (np.split(array, ends) for array in (self.logits, self.regions, self.iou))
        return [Candidates(*arrays) for arrays in zip(*pieces, strict=True)]

"""What a network answers to prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """C possible masks for each of N prompts.

    `logits` (N, C, h, w) float32; `regions` (N, C, 4) float32, the part of the canvas that the logits cover, in canvas
    pixels; `iou` (N, C), predicted, 0 to 1.
    """

    logits: np.ndarray
    regions: np.ndarray
    iou: np.ndarray

    def split(self, counts: Sequence[int]) -> list[Candidates]:
        """The candidates of the first `counts[0]` prompts, of the next `counts[1]`, and so on."""
        ends = np.cumsum(counts)[:-1]
        each = (np.split(array, ends) for array in (self.logits, self.regions, self.iou))
        return [Candidates(*arrays) for arrays in zip(*each, strict=True)]

"""What a network answers to prompts."""

from __future__ import annotations

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

"""SAM 2 as a network, on any engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ovseg_core.network import PromptBatch
from ovseg_core.sam import points
from ovseg_core.sam.network import Sam

ALL_MASKS = np.arange(4, dtype=np.float32)
STABLE = 0.98  # a mask is stable if its area at the logit DELTA is at least this share of its area at -DELTA
DELTA = 0.05
MAX_LOGIT = 32.0  # SAM 2 limits the low-res masks that it returns, before they are given back as mask inputs


class Sam2(Sam):
    """A `network.Network` whose features are those of `sam2.neck.Neck`.

    For a clear prompt, SAM decodes mask 0. SAM 2 takes the best of the masks 1 to 3 instead if mask 0 is not stable.
    """

    def _decoded(
        self,
        part: str,
        features: Sequence[np.ndarray],
        prompts: PromptBatch,
        mask_indices: np.ndarray,
        *more: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        if mask_indices.tolist() != [0]:
            return super()._decoded(part, features, prompts, mask_indices, *more)
        return _stable(*super()._decoded(part, features, prompts, ALL_MASKS, *more))

    def masks(
        self, features: Sequence[np.ndarray], prompts: PromptBatch, mask_indices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if prompts.mask_inputs is not None:
            prompts = prompts._replace(mask_inputs=np.clip(prompts.mask_inputs, -MAX_LOGIT, MAX_LOGIT))
        return super().masks(tuple(features), prompts, mask_indices)

    def _points(self, prompts: PromptBatch) -> tuple[np.ndarray, np.ndarray]:
        return points.of(prompts, pads_boxes=True)


def _stable(logits: np.ndarray, iou: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one of the four masks of each prompt: logits (N, 1, h, w) and predicted IoU (N, 1)."""
    inner, outer = (np.count_nonzero(logits[:, 0] > limit, axis=(1, 2)) for limit in (DELTA, -DELTA))
    is_stable = inner >= STABLE * outer
    chosen = np.where(is_stable, 0, 1 + iou[:, 1:].argmax(axis=1))
    rows = np.arange(len(chosen))
    return logits[rows, chosen][:, None], iou[rows, chosen][:, None]

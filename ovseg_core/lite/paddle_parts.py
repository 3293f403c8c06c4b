"""The learned parts in Paddle: the reference, and the way onto a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from ovseg_core import checkpoints
from ovseg_core.lite.geometry import Filters
from ovseg_core.lite.image_encoder import ImageEncoder
from ovseg_core.lite.locator import Locator
from ovseg_core.lite.mask_head import MaskHead
from ovseg_core.network import Features


class PaddleParts(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = ImageEncoder()
        self.locator = Locator()
        self.mask_head = MaskHead()

    @classmethod
    def load(cls, weights: Path) -> PaddleParts:
        """Raises ValueError where the weights do not fit."""
        parts = cls()
        parts.eval()
        checkpoints.load(parts, weights)
        return parts

    @paddle.no_grad()
    def encode(self, canvases: np.ndarray) -> list[Features]:
        maps = [m.numpy() for m in self.image_encoder(paddle.to_tensor(canvases))]
        return list(zip(*maps, strict=True))

    @paddle.no_grad()
    def locate(
        self, maps: Features, clicked: np.ndarray, drawn8: np.ndarray, drawn16: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        given = (*(m[None] for m in maps), clicked, drawn8, drawn16)
        coarse, iou = self.locator(*(paddle.to_tensor(x) for x in given))
        return coarse.numpy(), iou.numpy()

    @paddle.no_grad()
    def mask(self, maps: Features, filters: Sequence[Filters], told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, iou = self.mask_head(
            [paddle.to_tensor(m[None]) for m in maps],
            [(paddle.to_tensor(rows), paddle.to_tensor(columns)) for rows, columns in filters],
            paddle.to_tensor(told),
        )
        return logits.numpy(), iou.numpy()

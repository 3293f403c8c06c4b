"""The first stage: each position of the image proposes a box, and those that fit the text best become queries."""

from __future__ import annotations

import numpy as np

from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.mlp import MLP
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class Contrast(nn.Layer):
    """How well each of some features fits each token: logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.scale = shape.channels**-0.5 if shape.is_mm else 1.0
        self.bias = self.create_parameter([1], is_bias=True) if shape.is_mm else None

    def forward(self, features: paddle.Tensor, text: paddle.Tensor, text_mask: paddle.Tensor) -> paddle.Tensor:
        """Return (N, T) for features (N, C) and text (T, C). `text_mask` (T,) is added."""
        logits = paddle.matmul(features, text * self.scale, transpose_y=True)
        return logits + (text_mask if self.bias is None else text_mask + self.bias)


class Proposals(nn.Layer):
    """The heads of the first stage."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.out = nn.Linear(shape.channels, shape.channels)
        self.norm = nn.LayerNorm(shape.channels)
        self.box = MLP(shape.channels, shape.channels, 4, depth=3)
        self.contrast = Contrast(shape)

    def scores(
        self, image: paddle.Tensor, proposes: paddle.Tensor, text: paddle.Tensor, text_mask: paddle.Tensor
    ) -> paddle.Tensor:
        """Return how well each position fits its best token, (L,) logits."""
        return self.contrast(self._features(image, proposes), text, text_mask).max(axis=1)

    def boxes(self, image: paddle.Tensor, proposes: paddle.Tensor, proposals: paddle.Tensor) -> paddle.Tensor:
        """Return the boxes (Q, 4) of the chosen positions, as centre and size from 0 to 1.

        The arguments are the rows of the chosen positions: (Q, C), (Q,) and (Q, 4).
        """
        return F.sigmoid(self.box(self._features(image, proposes)) + proposals)

    def _features(self, image: paddle.Tensor, proposes: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.out(image * proposes.unsqueeze(1)))


def chosen(scores: np.ndarray, queries: int) -> np.ndarray:
    """Return the indices (Q,) of the positions with the highest scores (L,), the highest first.

    Equal scores stay in their order, so that every engine chooses the same.
    """
    return np.argsort(-scores, kind="stable")[:queries]

"""Multi-scale deformable attention (Zhu et al., 2020, https://arxiv.org/abs/2010.04159).

A query attends to a few points around its reference in every level. The places of these points and their weights are
computed from the query alone.
"""

from __future__ import annotations

import numpy as np

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class DeformableAttention(nn.Layer):
    """Attention of queries (Q, C) to the positions of all levels. A head has P points in each level."""

    def __init__(self, channels: int, heads: int, points: int, sizes: list[tuple[int, int]]) -> None:
        super().__init__()
        self.heads, self.points, self.sizes = heads, points, sizes
        samples = heads * len(sizes) * points
        self.offsets = nn.Linear(channels, 2 * samples)
        self.weights = nn.Linear(channels, samples)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        steps = np.array([[1 / w, 1 / h] for h, w in sizes], np.float32)  # between two positions, along x and y
        self.register_buffer("steps", paddle.to_tensor(steps[:, None]), persistable=False)

    def forward(
        self, queries: paddle.Tensor, values: paddle.Tensor, is_image: paddle.Tensor, references: paddle.Tensor
    ) -> paddle.Tensor:
        """Return (Q, C).

        Args:
            queries: (Q, C).
            values: (L, C).
            is_image: (L,): the values of positions with 0 are not seen.
            references: (Q, levels, 2): points, or (Q, levels, 4): boxes, around whose centres the queries attend; as
                shares of the level with padding.
        """
        values = self.value(values) * is_image.unsqueeze(1)
        places = (2 * self._places(queries, references) - 1).unbind(0)
        weights = self._weights(queries).unbind(0)
        ends = np.cumsum([h * w for h, w in self.sizes]).tolist()
        attended = []
        for i, (h, w) in enumerate(self.sizes):
            rows = values[ends[i] - h * w : ends[i]]
            grid = rows.transpose([1, 0]).reshape([self.heads, -1, h, w])
            samples = F.grid_sample(grid, places[i], "bilinear", "zeros", align_corners=False)  # heads, C/heads, P, Q
            attended.append((samples * weights[i].unsqueeze(1)).sum(2))
        first, *others = attended
        for other in others:
            first = first + other
        return self.out(first.flatten(0, 1).transpose([1, 0]))

    def _places(self, queries: paddle.Tensor, references: paddle.Tensor) -> paddle.Tensor:
        """Return where each head looks, (levels, heads, P, Q, 2), as shares of the level with padding.

        The points come before the queries, because a sum over the last axis, if it is as short as P, is slow.
        """
        offsets = self.offsets(queries).reshape([-1, self.heads, len(self.sizes), self.points, 2])
        offsets = offsets.transpose([2, 1, 3, 0, 4])
        around = references.transpose([1, 0, 2]).unsqueeze([1, 2])  # levels, 1, 1, Q, 2 or 4
        if references.shape[2] == 2:
            return around + offsets * self.steps.unsqueeze([1, 2])
        return around[:, :, :, :, :2] + offsets * around[:, :, :, :, 2:] * (0.5 / self.points)

    def _weights(self, queries: paddle.Tensor) -> paddle.Tensor:
        """Return the weights of the points, (levels, heads, P, Q); those of a head add up to 1 for each query."""
        weights = F.softmax(self.weights(queries).reshape([-1, self.heads, len(self.sizes) * self.points]), axis=-1)
        return weights.reshape([-1, self.heads, len(self.sizes), self.points]).transpose([2, 1, 3, 0])

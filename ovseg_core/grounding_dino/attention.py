"""Multi-head attention, and the feed-forward step that follows it."""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class Attention(nn.Layer):
    """Multi-head attention of queries (Q, C) to keys and values (K, C)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(
        self, queries: paddle.Tensor, keys: paddle.Tensor, values: paddle.Tensor, mask: paddle.Tensor | None = None
    ) -> paddle.Tensor:
        """Return (Q, C). `mask` is added to the scores, whose shape is (heads, Q, K)."""
        width = queries.shape[1] // self.heads
        q = by_head(self.query(queries) * width**-0.5, self.heads)
        k, v = by_head(self.key(keys), self.heads), by_head(self.value(values), self.heads)
        scores = paddle.matmul(q, k, transpose_y=True)
        weights = F.softmax(scores if mask is None else scores + mask, axis=-1)
        return self.out(paddle.matmul(weights, v).transpose([1, 0, 2]).flatten(1))


def by_head(x: paddle.Tensor, heads: int) -> paddle.Tensor:
    """(N, C) to (heads, N, C / heads)."""
    return x.reshape([-1, heads, x.shape[1] // heads]).transpose([1, 0, 2])


class FeedForward(nn.Layer):
    """Two linear layers with ReLU between them, a residual, and a norm."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.wide = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(x + self.narrow(F.relu(self.wide(x))))

"""SAM's image encoder: a plain vision transformer with windows (Li et al., 2022, "ViTDet"; Dosovitskiy et al., 2021).

Most blocks attend within windows of 14 x 14 positions, four of them to the whole grid; both add a decomposed relative
position term (Li et al., 2021, "MViTv2"). N windows or images, L = h*w positions, C channels.
"""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn import functional as F

from ovseg_core.sam import windows
from ovseg_core.sam.layers import as_map, as_rows, neck

PATCH = 16  # canvas pixels: the side of a position
EPSILON = 1e-6


class RelativeAttention(nn.Layer):
    """Multi-head attention over a square grid of positions, (N, L, C)."""

    def __init__(self, channels: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        zeros = nn.initializer.Constant(0.0)
        shape = [2 * side - 1, channels // heads]  # one for each distance along an axis
        self.rel_pos_h = self.create_parameter(shape, default_initializer=zeros)
        self.rel_pos_w = self.create_parameter(shape, default_initializer=zeros)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        n, _, channels = x.shape
        h = w = self.side
        width = channels // self.heads
        split = self.qkv(x).reshape([n, h * w, 3, self.heads, width]).transpose([2, 0, 3, 1, 4])
        q, k, v = split.reshape([3, n * self.heads, h * w, width]).unbind(0)
        weights = paddle.matmul(q * width**-0.5, k, transpose_y=True).reshape([-1, h, w, h, w])
        rows, columns = self._relative(q.reshape([-1, h, w, width]))
        weights = (weights + rows.unsqueeze(-1) + columns.unsqueeze(-2)).reshape([-1, h * w, h * w])
        attended = paddle.matmul(F.softmax(weights, axis=-1), v)
        together = attended.reshape([n, self.heads, h * w, width]).transpose([0, 2, 1, 3])
        return self.proj(together.reshape([n, h * w, channels]))

    def _relative(self, q: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """What each position adds for each row (N, h, w, h) and each column (N, h, w, w)."""
        rows = _by_distance(self.rel_pos_h, q.shape[1])  # h, h, width
        columns = _by_distance(self.rel_pos_w, q.shape[2])
        return (
            paddle.matmul(q, rows, transpose_y=True),
            paddle.matmul(q.transpose([0, 2, 1, 3]), columns, transpose_y=True).transpose([0, 2, 1, 3]),
        )


class FeedForward(nn.Layer):
    """Named `lin1`, `lin2` in the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, 4 * channels)
        self.lin2 = nn.Linear(4 * channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.lin2(F.gelu(self.lin1(x)))


class Block(nn.Layer):
    """Attention and feed-forward, each behind a norm; `window` 0 attends to the whole grid."""

    def __init__(self, channels: int, heads: int, grid: int, window: int) -> None:
        super().__init__()
        self.grid, self.window = grid, window
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.attn = RelativeAttention(channels, heads, window or grid)
        self.norm2 = nn.LayerNorm(channels, EPSILON)
        self.mlp = FeedForward(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        normal = self.norm1(x)
        x = x + (self._in_windows(normal) if self.window else self.attn(normal))
        return x + self.mlp(self.norm2(x))

    def _in_windows(self, x: paddle.Tensor) -> paddle.Tensor:
        channels, grid, side = x.shape[-1], self.grid, self.window
        apart = windows.split(x.reshape([-1, grid, grid, channels]), side)
        attended = self.attn(apart.reshape([-1, side * side, channels])).reshape([-1, side, side, channels])
        return windows.join(attended, (grid, grid)).reshape([-1, grid * grid, channels])


class PatchEmbed(nn.Layer):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2D(3, channels, PATCH, PATCH)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return as_rows(self.proj(x))


class VisionTransformer(nn.Layer):
    """A normalised RGB canvas (B, 3, S, S) to an image embedding (B, 256, S/16, S/16)."""

    def __init__(
        self,
        channels: int,
        depth: int,
        heads: int,
        whole_grid: tuple[int, ...],  # the blocks that attend to all of it
        canvas_size: int = 1024,
        window: int = 14,
        out_channels: int = 256,
    ) -> None:
        super().__init__()
        grid = canvas_size // PATCH
        self.grid_hw = (grid, grid)
        self.patch_embed = PatchEmbed(channels)
        zeros = nn.initializer.Constant(0.0)
        self.pos_embed = self.create_parameter([1, grid, grid, channels], default_initializer=zeros)
        self.blocks = nn.LayerList(
            [Block(channels, heads, grid, 0 if i in whole_grid else window) for i in range(depth)]
        )
        self.neck = neck(channels, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = self.patch_embed(x) + self.pos_embed.flatten(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.neck(as_map(x, self.grid_hw))


def _by_distance(table: paddle.Tensor, side: int) -> paddle.Tensor:
    """Rows of the table (2 * side - 1, C) by distance of query and key: (side, side, C)."""
    place = paddle.arange(side)
    return table[place.unsqueeze(1) - place.unsqueeze(0) + side - 1]

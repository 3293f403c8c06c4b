"""SAM 2's image encoder: Hiera (Ryali et al., 2023, https://arxiv.org/abs/2306.00989), with windows as in SAM 2.

Four stages; the first block of each later stage halves the grid by pooling its queries, and doubles the channels. Most
blocks attend within windows, and three blocks of the third stage attend to the whole grid. Positions have no encoding
inside the blocks, so a block computes the same for any order of its windows and of the positions in them.

This is used in the first two stages, where no window is padded: there a window of 8 x 8 positions of the first grid
stays one array, as if it were an image, and shrinks to 4 x 4 and 2 x 2. The windows are put in place once, after the
first block of the third stage: see `order`. B images, N windows of all images, L positions, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam import bicubic
from ovseg_core.sam.heads import Heads
from ovseg_core.sam.layers import as_rows
from ovseg_core.sam.shape import CANVAS
from ovseg_core.sam2 import order

EPSILON = 1e-6
STRIDE = 4  # canvas pixels between the positions of the first grid
WINDOW = 8  # positions along a side of the first stage's windows, in each size of SAM 2
TURNS = 4  # parts of the queries of the whole grid; the side of the grid is a multiple of it


class PooledAttention(nn.Layer):
    """Multi-head attention within windows, (B, L, C) to (B, L, C') or, if the queries are pooled, to (B, L/4, C')."""

    def __init__(self, channels: int, out_channels: int, heads: Heads, pools: bool) -> None:
        super().__init__()
        self.heads, self.pools = heads, pools
        self.query_heads = Heads(heads.number, heads.grid // 2, heads.side // 2) if pools else heads
        self.in_turns = False
        self.qkv = nn.Linear(channels, 3 * out_channels)
        self.proj = nn.Linear(out_channels, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        # As in SAM's encoder, padding is added after the products. The bias of the keys is not needed: it would add the
        # same to all scores of a query, which softmax cancels. The weights of a query add up to 1, so the bias of the
        # values adds the same to every result, and can be moved to the bias of the projection.
        query_weight, key_weight, value_weight = self.qkv.weight.chunk(3, axis=1)
        query_bias, _, value_bias = self.qkv.bias.chunk(3)
        scale = (query_bias.shape[0] // self.heads.number) ** -0.5
        q = paddle.matmul(x, query_weight * scale) + query_bias * scale
        q = self.query_heads.split(pooled(q, self.heads.grid) if self.pools else q)
        k, v = [self.heads.split(paddle.matmul(x, weight)) for weight in (key_weight, value_weight)]
        attended = self.query_heads.join((_in_turns if self.in_turns else _attend)(q, k, v))
        bias = paddle.matmul(value_bias, self.proj.weight) + self.proj.bias
        return paddle.matmul(attended, self.proj.weight) + bias


def _attend(q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
    """Attend with queries (..., l, D) to keys and values (..., L, D); return (..., l, D)."""
    return paddle.matmul(F.softmax(paddle.matmul(q, k, transpose_y=True), axis=-1), v)


def _in_turns(q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
    """Do `_attend` for one head after another, and for each head for one part of the queries after another."""
    by_head = zip(*(x.unbind(1) for x in (q, k, v)), strict=True)
    attended = [
        paddle.concat([_attend(part, keys, values) for part in queries.chunk(TURNS, axis=1)], axis=1)
        for queries, keys, values in by_head
    ]
    return paddle.stack(attended, axis=1)


def pooled(x: paddle.Tensor, side: int) -> paddle.Tensor:
    """Return the maximum of each 2 x 2 positions of a grid: (B, side * side, C) to (B, side * side / 4, C).

    A maximum of two arrays is faster than one over two axes: OpenVINO has no fast code for the latter, and 14 % of the
    encoder's time were spent in it.
    """
    channels, half = x.shape[-1], side // 2
    rows = paddle.maximum(*x.reshape([-1, half, 2, side * channels]).unbind(2))
    return paddle.maximum(*rows.reshape([-1, half * half, 2, channels]).unbind(2))


class FeedForward(nn.Layer):
    """The feed-forward step of a block. Its layers are named `layers.0` and `layers.1` in the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.LayerList([nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        wide, narrow = self.layers
        return narrow(F.gelu(wide(x)))


class Block(nn.Layer):
    """Attention and feed-forward, each after a norm and with a residual.

    The first block of a stage has other `out_channels` than `channels`, and pools.
    """

    def __init__(self, channels: int, out_channels: int, heads: Heads) -> None:
        super().__init__()
        pools = out_channels != channels
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.attn = PooledAttention(channels, out_channels, heads, pools)
        self.norm2 = nn.LayerNorm(out_channels, EPSILON)
        self.mlp = FeedForward(out_channels)
        self.proj = nn.Linear(channels, out_channels) if pools else None

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        normed = self.norm1(x)
        residual = x if self.proj is None else pooled(self.proj(normed), self.attn.heads.grid)
        x = residual + self.attn(normed)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Layer):
    """A canvas (B, 3, S, S) to (B, L, C), a position for every 4 x 4 pixels; patches overlap."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2D(3, channels, 7, STRIDE, 3)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return as_rows(self.proj(x))


class Hiera(nn.Layer):
    """A normalised RGB canvas (B, 3, S, S) to the outputs of the four stages; S is a multiple of 32.

    The sides of their grids are S/4, S/8, S/16 and S/32. The outputs of the first two stages are arrays of windows, (N,
    64, C) and (N, 16, 2C), where N is B * (S/32)^2. The others are rows of the grid, (B, L, 4C) and (B, L, 8C).
    """

    def __init__(
        self,
        channels: int,  # of the first stage; each later stage has twice as many as the stage before it
        depths: Sequence[int],  # blocks of each stage
        heads: int,  # of the first stage; doubled as the channels are
        whole_grid: Sequence[int],  # indices of the blocks that attend to the whole grid
        canvas_size: int = CANVAS,
        windows: Sequence[int] = (WINDOW, 4, 14, 7),  # sides in each stage; its first block has those before it pools
        background: int = 7,  # side of the coarse map of position embeddings
    ) -> None:
        super().__init__()
        self.grid = canvas_size // STRIDE
        self.ends = np.cumsum(depths) - 1
        self.patch_embed = PatchEmbed(channels)
        zeros = nn.initializer.Constant(0.0)
        self.pos_embed = self.create_parameter([1, channels, background, background], default_initializer=zeros)
        self.pos_embed_window = self.create_parameter([1, channels, WINDOW, WINDOW], default_initializer=zeros)
        self.register_buffer("enlarging", paddle.to_tensor(bicubic.weights(background, self.grid)), persistable=False)
        self.blocks = nn.LayerList()
        for i in range(sum(depths)):
            stage, before = (int(np.searchsorted(self.ends, block)) for block in (i, max(i - 1, 0)))
            side = windows[before]
            grid = side if before < 2 else self.grid >> before  # in the first stages, a window is like an image
            side = grid if i in whole_grid else side
            self.blocks.append(Block(channels << before, channels << stage, Heads(heads << stage, grid, side)))

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        x = self.patch_embed(x).gather(order.to_windows(self.grid, WINDOW), axis=1)
        x = x.reshape([-1, *self._positions().shape]) + self._positions()
        x = x.flatten(0, 1)
        outputs = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == self.ends[1] + 1:
                side = self.grid // 4
                x = x.reshape([-1, side * side, x.shape[-1]]).gather(order.from_windows(side, WINDOW // 4), axis=1)
            if i in self.ends:
                outputs.append(x)
        return outputs

    def take_turns(self) -> None:
        """Make the blocks that attend to the whole grid do so head by head, and in parts of the queries.

        See `sam.vit.VisionTransformer.take_turns`.
        """
        for block in self.blocks:
            heads = block.attn.heads
            block.attn.in_turns = heads.side == heads.grid > WINDOW

    def _positions(self) -> paddle.Tensor:
        """Return the position embedding of each window: (N of one image, 64, C).

        It is the sum of a part for the place in the image and a part for the place in the window (Bolya et al., 2023,
        https://arxiv.org/abs/2311.05613).
        """
        channels = self.pos_embed.shape[1]
        large = paddle.matmul(paddle.matmul(self.enlarging, self.pos_embed), self.enlarging, transpose_y=True)
        rows = as_rows(large).gather(order.to_windows(self.grid, WINDOW), axis=1)
        return rows.reshape([-1, WINDOW * WINDOW, channels]) + as_rows(self.pos_embed_window)

"""SAM's image encoder: a plain vision transformer with windows (Li et al., 2022, "ViTDet"; Dosovitskiy et al., 2021).

Most blocks attend within windows of 14 x 14 positions, and four blocks attend to the whole grid. Both kinds add a
decomposed relative position term (Li et al., 2021, "MViTv2"). B images, N windows of all images (or the B images, if a
window is the whole grid), L = h*w positions, C channels, D = C / heads.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.heads import Heads
from ovseg_core.sam.layers import as_map, as_rows, neck
from ovseg_core.sam.shape import CANVAS, CHANNELS

PATCH = 16  # canvas pixels: the side of the square that a position covers
EPSILON = 1e-6
PARTS = 4  # of the queries of the whole grid; the side of the grid is a multiple of it


class RelativeAttention(nn.Layer):
    """Multi-head attention between the positions of each window of a grid, (B, L, C) to the same shape.

    The last windows are padded with zeros, and the padding is attended to, as in training. A window may be the whole
    grid.
    """

    def __init__(self, channels: int, heads: int, grid: int, side: int) -> None:
        super().__init__()
        self.heads = Heads(heads, grid, side)
        self.in_turns = False
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        zeros = nn.initializer.Constant(0.0)
        shape = [2 * side - 1, channels // heads]  # a row for each distance along an axis
        self.rel_pos_h = self.create_parameter(shape, default_initializer=zeros)
        self.rel_pos_w = self.create_parameter(shape, default_initializer=zeros)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        # The products have no bias, so zeros stay zeros: the padding is added after the products and is not multiplied.
        # The bias of the keys is not needed: it would add the same to all scores of a query, which softmax cancels. The
        # bias of the values is added to the result, because the weights of a query add up to 1.
        query_bias, _, value_bias = self.qkv.bias.chunk(3)
        q, k, v = [self.heads.split(paddle.matmul(x, weight)) for weight in self.qkv.weight.chunk(3, axis=1)]
        q = q + query_bias.reshape([self.heads.number, 1, -1])
        attend = _in_turns if self.in_turns else _at_once
        attended = attend(q * q.shape[-1] ** -0.5, k, v, *self._relative(q))
        return self.proj(self.heads.join(attended) + value_bias)

    def _relative(self, q: paddle.Tensor) -> list[paddle.Tensor]:
        """Return what each query adds for each row (N, heads, h, w, h) and column (N, heads, h, w, w) of keys."""
        side = self.heads.side
        rows = _by_distance(self.rel_pos_h, side)  # h, h, D
        columns = _by_distance(self.rel_pos_w, side)
        q = q.reshape([-1, side, side, q.shape[-1]])
        by_column = paddle.matmul(q.transpose([0, 2, 1, 3]), columns, transpose_y=True).transpose([0, 2, 1, 3])
        by_row = paddle.matmul(q, rows, transpose_y=True)
        return [terms.reshape([-1, self.heads.number, side, side, side]) for terms in (by_row, by_column)]


def _at_once(*inputs: paddle.Tensor) -> paddle.Tensor:
    """Do `_attend` for all heads in one call. The inputs are its arguments, with the heads as their second axis."""
    attended = _attend(*[x.flatten(0, 1) for x in inputs])
    return attended.reshape(inputs[0].shape)


def _in_turns(*inputs: paddle.Tensor) -> paddle.Tensor:
    """Do `_attend` for one head after another, and for each head for one part of the queries after another."""
    by_head = [x.unbind(1) for x in inputs]
    attended = []
    for i in range(len(by_head[0])):
        q, k, v, rows, columns = [x[i] for x in by_head]
        parts = [x.chunk(PARTS, axis=1) for x in (q, rows, columns)]
        of_head = [_attend(parts[0][j], k, v, parts[1][j], parts[2][j]) for j in range(PARTS)]
        attended.append(paddle.concat(of_head, axis=1))
    return paddle.stack(attended, axis=1)


def _attend(
    q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor, rows: paddle.Tensor, columns: paddle.Tensor
) -> paddle.Tensor:
    """Attend with queries (N, l, D) to keys and values (N, L, D); return (N, l, D).

    `rows` (N, ..., h) and `columns` (N, ..., w) are the terms that each query adds for the rows and columns of keys.
    """
    weights = paddle.matmul(q, k, transpose_y=True).reshape([-1, *rows.shape[1:], columns.shape[-1]])
    weights = (weights + rows.unsqueeze(-1) + columns.unsqueeze(-2)).reshape([-1, q.shape[1], k.shape[1]])
    return paddle.matmul(F.softmax(weights, axis=-1), v)


class FeedForward(nn.Layer):
    """The feed-forward step of a block. Its layers are named `lin1` and `lin2` in the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, 4 * channels)
        self.lin2 = nn.Linear(4 * channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.lin2(F.gelu(self.lin1(x)))


class Block(nn.Layer):
    """Attention and feed-forward, each after a norm and with a residual."""

    def __init__(self, channels: int, heads: int, grid: int, window: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.attn = RelativeAttention(channels, heads, grid, window)
        self.norm2 = nn.LayerNorm(channels, EPSILON)
        self.mlp = FeedForward(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Layer):
    """A canvas (B, 3, S, S) to (B, L, C), one position for each patch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv2D(3, channels, PATCH, PATCH)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return as_rows(self.proj(x))


class VisionTransformer(nn.Layer):
    """A normalised RGB canvas (B, 3, S, S) to an image embedding (B, 256, S/16, S/16).

    `early` and `rest` are its two steps. Families of SAM use the features between them, with `early_channels` channels.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        heads: int,
        whole_grid: tuple[int, ...],  # indices of the blocks that attend to the whole grid
        canvas_size: int = CANVAS,
        window: int = 14,
        out_channels: int = CHANNELS,
    ) -> None:
        super().__init__()
        grid = canvas_size // PATCH
        self.grid_hw = (grid, grid)
        self.early_channels = channels
        self.early_blocks = min(whole_grid) + 1
        self.patch_embed = PatchEmbed(channels)
        zeros = nn.initializer.Constant(0.0)
        self.pos_embed = self.create_parameter([1, grid, grid, channels], default_initializer=zeros)
        self.blocks = nn.LayerList(
            [Block(channels, heads, grid, grid if i in whole_grid else window) for i in range(depth)]
        )
        self.neck = neck(channels, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.rest(self.early(x))

    def early(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return the output (B, L, C) of the first block that attends to the whole grid."""
        x = self.patch_embed(x) + self.pos_embed.flatten(1, 2)
        for block in list(self.blocks)[: self.early_blocks]:
            x = block(x)
        return x

    def rest(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return the image embedding from the early features."""
        for block in list(self.blocks)[self.early_blocks :]:
            x = block(x)
        return self.neck(as_map(x, self.grid_hw))

    def take_turns(self) -> None:
        """Make the blocks that attend to the whole grid do so head by head, and in parts of the queries.

        This is faster on a CPU: the attention weights stay in its cache until they are used, and are not all in memory
        at once. It does not suit a GPU, for which these products are too small.
        """
        for block in self.blocks:
            block.attn.in_turns = block.attn.heads.across == 1


def _by_distance(table: paddle.Tensor, side: int) -> paddle.Tensor:
    """Return the row of the table (2 * side - 1, D) for the distance of each query and key: (side, side, D)."""
    place = paddle.arange(side)
    return table[place.unsqueeze(1) - place.unsqueeze(0) + side - 1]

"""SAM's image encoder: a plain vision transformer with windows (Li et al., 2022, "ViTDet"; Dosovitskiy et al., 2021).

Most blocks attend within windows of 14 x 14 positions, four of them to the whole grid; both add a decomposed relative
position term (Li et al., 2021, "MViTv2"). N windows or images, L = h*w positions, C channels.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.layers import as_map, as_rows, neck

PATCH = 16  # canvas pixels: the side of a position
EPSILON = 1e-6
RUNS = 4  # of the whole grid's queries; its side is a multiple of it


class RelativeAttention(nn.Layer):
    """Multi-head attention among the positions of each window of a grid, (B, L, C) to the same shape.

    Zeros fill the last windows up, and are attended to; so it was trained. A window may be the whole grid.
    """

    def __init__(self, channels: int, heads: int, grid: int, side: int) -> None:
        super().__init__()
        self.heads, self.grid, self.side = heads, grid, side
        self.across = -(-grid // side)  # windows
        self.in_turns = False
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        zeros = nn.initializer.Constant(0.0)
        shape = [2 * side - 1, channels // heads]  # one for each distance along an axis
        self.rel_pos_h = self.create_parameter(shape, default_initializer=zeros)
        self.rel_pos_w = self.create_parameter(shape, default_initializer=zeros)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        # Zeros stay zeros in a product without a bias, so that none need be multiplied. The keys' bias would add the
        # same to all that a query finds, which softmax takes away again; the values' comes out as it is.
        for_queries, _, for_values = self.qkv.bias.chunk(3)
        q, k, v = [self._apart(paddle.matmul(x, weight)) for weight in self.qkv.weight.chunk(3, axis=1)]
        q = q + for_queries.reshape([self.heads, 1, -1])
        attend = _in_turns if self.in_turns else _at_once
        attended = attend(q * q.shape[-1] ** -0.5, k, v, *self._relative(q))
        return self.proj(self._together(attended) + for_values)

    def _apart(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, L, C) by window and head: (N, heads, side * side, C / heads)."""
        side, across, width = self.side, self.across, x.shape[-1] // self.heads
        if across == 1:  # what is below would do, but Paddle's CPU is slow with many axes
            return x.reshape([-1, side * side, self.heads, width]).transpose([0, 2, 1, 3])
        beyond = across * side - self.grid
        x = F.pad(x.reshape([-1, self.grid, self.grid, x.shape[-1]]), [0, 0, 0, beyond, 0, beyond, 0, 0])
        x = x.reshape([-1, side, across, side, self.heads, width]).transpose([0, 2, 4, 1, 3, 5])
        return x.reshape([-1, self.heads, side * side, width])

    def _together(self, x: paddle.Tensor) -> paddle.Tensor:
        """The way back."""
        side, across, channels = self.side, self.across, self.heads * x.shape[-1]
        if across == 1:
            return x.transpose([0, 2, 1, 3]).flatten(2, 3)
        x = x.reshape([-1, across, self.heads, side, side, x.shape[-1]]).transpose([0, 3, 1, 4, 2, 5])
        x = x.reshape([-1, across * side, across * side, channels])
        return x[:, : self.grid, : self.grid].flatten(1, 2)

    def _relative(self, q: paddle.Tensor) -> list[paddle.Tensor]:
        """What each position adds for each row (N, heads, h, w, h) and each column (N, heads, h, w, w)."""
        side = self.side
        rows = _by_distance(self.rel_pos_h, side)  # h, h, width
        columns = _by_distance(self.rel_pos_w, side)
        q = q.reshape([-1, side, side, q.shape[-1]])
        by_column = paddle.matmul(q.transpose([0, 2, 1, 3]), columns, transpose_y=True).transpose([0, 2, 1, 3])
        by_row = paddle.matmul(q, rows, transpose_y=True)
        return [each.reshape([-1, self.heads, side, side, side]) for each in (by_row, by_column)]


def _at_once(*given: paddle.Tensor) -> paddle.Tensor:
    """What `_attend` is given, of all heads: (N, heads, L, D) and so on."""
    attended = _attend(*[each.flatten(0, 1) for each in given])
    return attended.reshape(given[0].shape)


def _in_turns(*given: paddle.Tensor) -> paddle.Tensor:
    """As `_at_once`, a head after another and a part of its queries after another."""
    heads = [each.unbind(1) for each in given]
    attended = []
    for i in range(len(heads[0])):
        q, k, v, rows, columns = [each[i] for each in heads]
        runs = [each.chunk(RUNS, axis=1) for each in (q, rows, columns)]
        found = [_attend(runs[0][j], k, v, runs[1][j], runs[2][j]) for j in range(RUNS)]
        attended.append(paddle.concat(found, axis=1))
    return paddle.stack(attended, axis=1)


def _attend(
    q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor, rows: paddle.Tensor, columns: paddle.Tensor
) -> paddle.Tensor:
    """What queries (N, l, D) find among the values (N, L, D) of these keys, with what each query adds for the rows
    (N, ..., h) and the columns (N, ..., w) of the window: (N, l, D)."""
    weights = paddle.matmul(q, k, transpose_y=True).reshape([-1, *rows.shape[1:], columns.shape[-1]])
    weights = (weights + rows.unsqueeze(-1) + columns.unsqueeze(-2)).reshape([-1, q.shape[1], k.shape[1]])
    return paddle.matmul(F.softmax(weights, axis=-1), v)


class FeedForward(nn.Layer):
    """Named `lin1`, `lin2` in the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, 4 * channels)
        self.lin2 = nn.Linear(4 * channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.lin2(F.gelu(self.lin1(x)))


class Block(nn.Layer):
    """Attention and feed-forward, each behind a norm."""

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
            [Block(channels, heads, grid, grid if i in whole_grid else window) for i in range(depth)]
        )
        self.neck = neck(channels, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = self.patch_embed(x) + self.pos_embed.flatten(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.neck(as_map(x, self.grid_hw))

    def take_turns(self) -> None:
        """Attend to the whole grid head by head, a part of the queries after another, as a CPU likes it: the weights
        are in its cache when they are used, and not all in memory at once. To a GPU these products are small."""
        for block in self.blocks:
            block.attn.in_turns = block.attn.across == 1


def _by_distance(table: paddle.Tensor, side: int) -> paddle.Tensor:
    """Rows of the table (2 * side - 1, C) by distance of query and key: (side, side, C)."""
    place = paddle.arange(side)
    return table[place.unsqueeze(1) - place.unsqueeze(0) + side - 1]

"""The image encoder's layers: Swin Transformer (Liu et al., 2021, https://arxiv.org/abs/2103.14030).

Four stages; each halves the grid of the stage before it and doubles the channels. N windows, S positions of a window.
"""

from __future__ import annotations

import numpy as np

from ovseg_core.grounding_dino import windows
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle

STRIDE = 4  # canvas pixels between the positions of the first stage
EPSILON = 1e-5


class Grid(nn.Layer):
    """The windows of a grid of h x w positions; the blocks of a stage share them."""

    def __init__(self, hw: tuple[int, int], side: int, shift: int) -> None:
        super().__init__()
        to, back, kinds = windows.windows(hw, side, shift)
        self.positions, self.is_shifted = side * side, shift > 0
        self.is_padded = len(to) > len(back)
        arrays = {"into": to, "out_of": back, "kinds": kinds, "relative": windows.relative_positions(side)}
        for name, array in arrays.items():
            self.register_buffer(name, paddle.to_tensor(array.astype(np.int64)), persistable=False)
        self.register_buffer("masks", paddle.to_tensor(windows.masks(side, shift)), persistable=False)

    def split(self, x: paddle.Tensor) -> paddle.Tensor:
        """(h*w, C) to (N, S, C). Padding is zero."""
        if self.is_padded:
            x = paddle.concat([x, paddle.zeros([1, x.shape[1]])])
        return x.gather(self.into, axis=0).reshape([-1, self.positions, x.shape[1]])

    def join(self, x: paddle.Tensor) -> paddle.Tensor:
        """Undo `split`: (N, S, C) to (h*w, C), without padding."""
        return x.flatten(0, 1).gather(self.out_of, axis=0)


class WindowAttention(nn.Layer):
    """Multi-head attention within windows, (h*w, C) to (h*w, C)."""

    def __init__(self, channels: int, heads: int, grid: Grid) -> None:
        super().__init__()
        self.heads, self.grid = heads, grid
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)
        side = int(grid.positions**0.5)
        self.bias = self.create_parameter([(2 * side - 1) ** 2, heads])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        # Padding is added after the products, where it is smaller work. The original pads before them, so its padding
        # has the biases as its keys and values. The bias of the keys is not needed: it would add the same to all scores
        # of a query, which softmax cancels. The weights of a query add up to 1, so the bias of the values adds the same
        # to every result, and can be moved to the bias of the projection.
        channels = x.shape[1]
        scale = (channels // self.heads) ** -0.5
        weight = paddle.concat([self.query.weight * scale, self.key.weight, self.value.weight], axis=1)
        bias = paddle.concat([self.query.bias * scale, paddle.zeros([2 * channels])])
        qkv = self.grid.split(paddle.matmul(x, weight) + bias)
        qkv = qkv.reshape([-1, self.grid.positions, 3, self.heads, channels // self.heads])
        q, k, v = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)
        scores = paddle.matmul(q, k, transpose_y=True) + self._bias()
        attended = paddle.matmul(F.softmax(scores, axis=-1), v).transpose([0, 2, 1, 3]).flatten(2, 3)
        out_bias = paddle.matmul(self.value.bias, self.out.weight) + self.out.bias
        return paddle.matmul(self.grid.join(attended), self.out.weight) + out_bias

    def _bias(self) -> paddle.Tensor:
        """Return what is added to the scores, (1 or N, heads, S, S)."""
        positions = self.grid.positions
        bias = self.bias.gather(self.grid.relative, axis=0).reshape([positions, positions, self.heads])
        bias = bias.transpose([2, 0, 1]).unsqueeze(0)
        if self.grid.is_shifted:
            bias = bias + self.grid.masks.gather(self.grid.kinds, axis=0).unsqueeze(1)
        return bias


class Block(nn.Layer):
    """Attention and feed-forward, each after a norm and with a residual."""

    def __init__(self, channels: int, heads: int, grid: Grid) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.attention = WindowAttention(channels, heads, grid)
        self.norm2 = nn.LayerNorm(channels, EPSILON)
        self.wide = nn.Linear(channels, 4 * channels)
        self.narrow = nn.Linear(4 * channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x))))


class Halving(nn.Layer):
    """Each 2 x 2 positions of an even grid become one, with twice as many channels: (h*w, C) to (h*w/4, 2C)."""

    def __init__(self, channels: int, hw: tuple[int, int]) -> None:
        super().__init__()
        self.hw = hw
        self.norm = nn.LayerNorm(4 * channels, EPSILON)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias_attr=False)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        h, w = self.hw
        channels = x.shape[1]
        cells = x.reshape([h // 2, 2, w // 2, 2, channels]).transpose([0, 2, 3, 1, 4])  # the two columns come first
        return self.reduction(self.norm(cells.reshape([h * w // 4, 4 * channels])))


class Stage(nn.Layer):
    """Blocks whose windows are alternately unshifted and shifted by half of their side."""

    def __init__(self, channels: int, depth: int, heads: int, hw: tuple[int, int], side: int, halves: bool) -> None:
        super().__init__()
        grids = [Grid(hw, side, shift) for shift in (0, side // 2)]
        self.blocks = nn.LayerList([Block(channels, heads, grids[i % 2]) for i in range(depth)])
        self.halving = Halving(channels, hw) if halves else None

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class Swin(nn.Layer):
    """A normalised canvas (1, 3, H, W) to the outputs of the last three stages, each (h*w, C) with its own norm.

    H and W are multiples of 32. The grids have a position for every 8, 16 and 32 pixels along a side.
    """

    def __init__(self, shape: Shape, canvas_hw: tuple[int, int]) -> None:
        super().__init__()
        channels, side = shape.swin_channels, shape.window
        self.patches = nn.Conv2D(3, channels, STRIDE, STRIDE)
        self.norm = nn.LayerNorm(channels, EPSILON)
        self.stages, self.norms = nn.LayerList(), nn.LayerList()
        for i, (depth, heads) in enumerate(zip(shape.swin_depths, shape.swin_heads, strict=True)):
            hw = (canvas_hw[0] // STRIDE >> i, canvas_hw[1] // STRIDE >> i)
            self.stages.append(Stage(channels << i, depth, heads, hw, side, halves=i < 3))
            if i:
                self.norms.append(nn.LayerNorm(channels << i, EPSILON))

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        x = self.norm(self.patches(x).flatten(2).squeeze(0).transpose([1, 0]))
        outputs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i:
                outputs.append(self.norms[i - 1](x))
            if stage.halving is not None:
                x = stage.halving(x)
        return outputs

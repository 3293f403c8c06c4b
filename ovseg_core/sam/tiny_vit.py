"""MobileSAM's image encoder: TinyViT-5M (Wu et al., 2022, "TinyViT"; Zhang et al., 2023, "MobileSAM").

The first stage has inverted residuals, the other three have attention within windows. Each of their blocks has a small
convolution between attention and feed-forward, which connects neighbouring windows. The grid is halved after the first
and the second stage but not after the third, so the embedding has SAM's stride. B images, h*w positions, C channels,
N windows of L positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam import windows
from ovseg_core.sam.layers import BatchNorm, as_map, as_rows, neck
from ovseg_core.sam.shape import CHANNELS

EXPANSION = 4  # factor of the channels inside an inverted residual and a feed-forward
MERGING_STRIDES = (2, 2, 1)
EARLY_STAGES = 2  # after them the grid has the embedding's size


class InvertedResidual(nn.Layer):
    """Widening, depthwise, narrowing convolutions (Sandler et al., 2018, "MobileNetV2"), activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.conv1 = _conv_norm(channels, wide)
        self.conv2 = _conv_norm(wide, wide, kernel=3, groups=wide)
        self.conv3 = _conv_norm(wide, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        inner = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(inner))


class PatchMerging(nn.Layer):
    """(B, C, h, w) to the channels of the next stage, on a grid that is smaller by `stride`."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv_norm(channels, out_channels)
        self.conv2 = _conv_norm(out_channels, out_channels, kernel=3, stride=stride, groups=out_channels)
        self.conv3 = _conv_norm(out_channels, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class WindowAttention(nn.Layer):
    """Multi-head attention between the positions of a window, with a learned term for each distance (dy, dx)."""

    def __init__(self, channels: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        zeros = nn.initializer.Constant(0.0)
        self.attention_biases = self.create_parameter([heads, side * side], default_initializer=zeros)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Windows (N, side, side, C) to the same shape.

        Heads are computed one after another: on a CPU this is cheaper than moving them to the front axis of one array.
        """
        side, channels = x.shape[2:]
        parts = self.qkv(self.norm(x.flatten(1, 2))).chunk(3 * self.heads, axis=-1)  # q, k, v of head 0, of head 1, ...
        terms = self.attention_biases[:, _distances(side)]  # heads, L, L
        attended = []
        for i in range(self.heads):
            q, k, v = parts[3 * i : 3 * i + 3]
            weights = paddle.matmul(q * q.shape[-1] ** -0.5, k, transpose_y=True) + terms[i]
            attended.append(paddle.matmul(F.softmax(weights, axis=-1), v))
        return self.proj(paddle.concat(attended, axis=-1)).reshape([-1, side, side, channels])


class FeedForward(nn.Layer):
    """The feed-forward step of a block. Its layers are named `norm`, `fc1` and `fc2` in the checkpoint."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, EXPANSION * channels)
        self.fc2 = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class AttentionBlock(nn.Layer):
    """(B, C, h, w) to the same shape: attention within windows, a depthwise convolution, feed-forward.

    The last windows are padded with zeros. The padding passes through the attention's norm and is attended to, as in
    training.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(channels, heads, window)
        self.local_conv = _conv_norm(channels, channels, kernel=3, groups=channels)
        self.mlp = FeedForward(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        hw = tuple(x.shape[2:])
        x = as_rows(x)
        x = x + self._in_windows(x, hw)
        x = as_rows(self.local_conv(as_map(x, hw)))
        return as_map(x + self.mlp(x), hw)

    def _in_windows(self, x: paddle.Tensor, hw: tuple[int, int]) -> paddle.Tensor:
        by_window = windows.split(x.reshape([-1, *hw, x.shape[-1]]), self.window)
        return windows.join(self.attn(by_window), hw).flatten(1, 2)


class Stage(nn.Layer):
    """Blocks, and after them the merging, named `downsample` in the checkpoint. The last stage has no merging."""

    def __init__(self, blocks: Sequence[nn.Layer], downsample: PatchMerging | None) -> None:
        super().__init__()
        self.blocks = nn.LayerList(blocks)
        self.downsample = downsample

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Layer):
    """A normalised RGB canvas (B, 3, S, S) to an image embedding (B, 256, S/16, S/16); S is a multiple of 16.

    `early` and `rest` are its two steps. Families of SAM use the features between them, with `early_channels` channels.
    """

    def __init__(
        self,
        channels: tuple[int, ...],  # of each stage
        depths: tuple[int, ...],
        heads: tuple[int, ...],  # of each stage except the first; so are the sides of the windows
        window_sides: tuple[int, ...],
        out_channels: int = CHANNELS,
    ) -> None:
        super().__init__()
        first = channels[0]
        self.early_channels = channels[EARLY_STAGES]
        stem = nn.Sequential(
            _conv_norm(3, first // 2, kernel=3, stride=2),
            nn.GELU(),
            _conv_norm(first // 2, first, kernel=3, stride=2),
        )
        self.patch_embed = nn.Sequential(("seq", stem))
        blocks: list[list[nn.Layer]] = [[InvertedResidual(first) for _ in range(depths[0])]]
        for width, depth, count, side in zip(channels[1:], depths[1:], heads, window_sides, strict=True):
            blocks.append([AttentionBlock(width, count, side) for _ in range(depth)])
        steps = zip(pairwise(channels), MERGING_STRIDES, strict=True)
        mergings = [*(PatchMerging(a, b, stride) for (a, b), stride in steps), None]
        self.layers = nn.LayerList([Stage(*parts) for parts in zip(blocks, mergings, strict=True)])
        self.neck = neck(channels[-1], out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.rest(self.early(x))

    def early(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return the output (B, C, S/16, S/16) of the first stages and of the merging after them."""
        x = self.patch_embed(x)
        for stage in list(self.layers)[:EARLY_STAGES]:
            x = stage(x)
        return x

    def rest(self, x: paddle.Tensor) -> paddle.Tensor:
        """Return the image embedding from the early features."""
        for stage in list(self.layers)[EARLY_STAGES:]:
            x = stage(x)
        return self.neck(x)


def _conv_norm(channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution without a bias and its norm. They are named `c` and `bn` in the checkpoint."""
    conv = nn.Conv2D(channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias_attr=False)
    return nn.Sequential(("c", conv), ("bn", BatchNorm(out_channels)))


def _distances(side: int) -> paddle.Tensor:
    """Return the index in the table of terms for each pair of a window's positions, by |dy| and |dx|: (L, L)."""
    position = paddle.arange(side * side)
    y, x = position // side, position % side
    return (y.unsqueeze(1) - y).abs() * side + (x.unsqueeze(1) - x).abs()

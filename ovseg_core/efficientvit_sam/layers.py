"""The blocks of EfficientViT (Cai et al., 2023). Each is (B, C, h, w) to (B, C', h', w').

Their attributes have the names of the public checkpoints.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.layers import BatchNorm

NORM_EPSILON = 1e-6  # the authors set it for all norms
HEAD = 32  # channels of a head
ATTENTION_EPSILON = 1e-15  # the authors' number; it keeps 0 / 0 from being computed, and is 0 in float16


class Convolution(nn.Layer):
    """A convolution, with a norm or with a bias, and with GELU after it if `is_activated`."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        has_norm: bool = True,
        is_activated: bool = False,
    ) -> None:
        super().__init__()
        bias = False if has_norm else None  # None is Paddle's word for a bias
        self.conv = nn.Conv2D(channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias_attr=bias)
        self.norm = BatchNorm(out_channels, NORM_EPSILON) if has_norm else None
        self.is_activated = is_activated

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return F.gelu(x, approximate=True) if self.is_activated else x


class Residual(nn.Layer):
    """The sum of a block's input and output."""

    def __init__(self, main: nn.Layer) -> None:
        super().__init__()
        self.main = main

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return x + self.main(x)


class LinearAttention(nn.Layer):
    """Attention whose weights are products of relu(q) and relu(k), at two scales.

    Keys and values are multiplied first, so the work grows with the number of positions, not with its square. At the
    second scale, q, k and v are sums over neighbours, by a convolution for each channel and one for each head.
    """

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.channels = channels
        wide = 3 * channels
        self.qkv = nn.Sequential(("conv", nn.Conv2D(channels, wide, 1, bias_attr=False)))
        neighbours = nn.Conv2D(wide, wide, scale, padding=scale // 2, groups=wide, bias_attr=False)
        mixed = nn.Conv2D(wide, wide, 1, groups=wide // HEAD, bias_attr=False)
        self.aggreg = nn.LayerList([nn.Sequential(neighbours, mixed)])
        self.proj = Convolution(2 * channels, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        _, _, h, w = x.shape
        qkv = self.qkv(x)
        scales = paddle.concat([qkv, self.aggreg[0](qkv)], axis=1)
        heads = scales.reshape([-1, 2 * self.channels // HEAD, 3 * HEAD, h * w])
        q, k, v = heads.chunk(3, axis=2)  # each B, heads of both scales, HEAD, L
        q, k = F.relu(q), F.relu(k)
        attended = paddle.matmul(paddle.matmul(v, k, transpose_y=True), q)
        weights = paddle.matmul(k.sum(-1, keepdim=True), q, transpose_x=True)  # of all keys together, for each query
        return self.proj((attended / (weights + ATTENTION_EPSILON)).reshape([-1, 2 * self.channels, h, w]))


def residual_block(channels: int) -> nn.Sequential:
    return nn.Sequential(
        ("conv1", Convolution(channels, channels, 3, is_activated=True)), ("conv2", Convolution(channels, channels, 3))
    )


def fused(channels: int, out_channels: int, expansion: int, stride: int = 1) -> nn.Sequential:
    """Make a convolution that widens and sees neighbours, and one that narrows."""
    wide = channels * expansion
    return nn.Sequential(
        ("spatial_conv", Convolution(channels, wide, 3, stride, is_activated=True)),
        ("point_conv", Convolution(wide, out_channels)),
    )


def inverted(channels: int, out_channels: int, expansion: int, stride: int = 1) -> nn.Sequential:
    """Make widening, depthwise and narrowing convolutions (Sandler et al., 2018). Only the last one has a norm."""
    wide = channels * expansion
    return nn.Sequential(
        ("inverted_conv", Convolution(channels, wide, has_norm=False, is_activated=True)),
        ("depth_conv", Convolution(wide, wide, 3, stride, groups=wide, has_norm=False, is_activated=True)),
        ("point_conv", Convolution(wide, out_channels)),
    )


def attention_block(channels: int, expansion: int, scale: int) -> nn.Sequential:
    return nn.Sequential(
        ("context_module", Residual(LinearAttention(channels, scale))),
        ("local_module", Residual(inverted(channels, channels, expansion))),
    )


def op_list(*layers: nn.Layer) -> nn.Sequential:
    """Make a sequence, which the checkpoints call `op_list`."""
    return nn.Sequential(("op_list", nn.Sequential(*layers)))

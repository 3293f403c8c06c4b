"""SAM 2's neck: a feature pyramid (Lin et al., 2017) from the stages of the image encoder to the maps to decode from.

B images, L positions, C channels.
"""

from __future__ import annotations

from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.shape import CHANNELS
from ovseg_core.sam2 import order


class Lateral(nn.Layer):
    """A convolution with a kernel of 1 x 1. It is named `conv` in the checkpoint."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2D(channels, out_channels, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """(B, L, C) to (B, L, C')."""
        return _linear(x, self.conv.weight, self.conv.bias)


class Neck(nn.Layer):
    """The outputs of Hiera's stages to the image embedding and two maps of higher resolution, with channels last.

    For a grid of h x w positions with 16 canvas pixels along their sides, the embedding is (B, h, w, 256). The other
    maps are in the order in which the mask decoder needs them (see `order`): (B, h, w, 4, 64), the quarters of each
    position, and (B, h, w, 16, 32), the quarters of these.
    """

    def __init__(self, channels: int) -> None:
        """`channels` are those of Hiera's first stage."""
        super().__init__()
        self.convs = nn.LayerList([Lateral(channels << stage, CHANNELS) for stage in (3, 2, 1, 0)])
        self.conv_s0 = nn.Conv2D(CHANNELS, CHANNELS // 8, 1)
        self.conv_s1 = nn.Conv2D(CHANNELS, CHANNELS // 4, 1)
        zeros = nn.initializer.Constant(0.0)
        self.no_mem_embed = self.create_parameter([1, 1, CHANNELS], default_initializer=zeros)

    def forward(self, stages: list[paddle.Tensor]) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        sixteenths, quarters, fine, coarse = stages
        lowest, low, high, highest = self.convs
        side = int(fine.shape[1] ** 0.5)
        # A video's memory would be added here; for an image its place is taken by a constant.
        embedding = low(fine) + _doubled(lowest(coarse), side // 2) + self.no_mem_embed
        quarters = _through(quarters, high.conv, self.conv_s1).reshape([-1, 4 * side * side, CHANNELS // 4])
        sixteenths = _through(sixteenths, highest.conv, self.conv_s0).reshape([-1, 16 * side * side, CHANNELS // 8])
        return (
            embedding.reshape([-1, side, side, CHANNELS]),
            quarters.gather(order.to_quarters(2 * side), axis=1).reshape([-1, side, side, 4, CHANNELS // 4]),
            sixteenths.gather(order.to_sixteenths(4 * side), axis=1).reshape([-1, side, side, 16, CHANNELS // 8]),
        )


def _through(x: paddle.Tensor, first: nn.Conv2D, second: nn.Conv2D) -> paddle.Tensor:
    """Return the result of two convolutions of 1 x 1 one after the other, as one product: (B, L, C) to (B, L, C').

    Between them SAM 2 does nothing, and has several times as many channels as before and after them.
    """
    weight = paddle.matmul(second.weight.flatten(1), first.weight.flatten(1))
    bias = paddle.matmul(second.weight.flatten(1), first.bias) + second.bias
    return _linear(x, weight, bias)


def _linear(x: paddle.Tensor, weight: paddle.Tensor, bias: paddle.Tensor) -> paddle.Tensor:
    return paddle.matmul(x, weight.flatten(1), transpose_y=True) + bias


def _doubled(x: paddle.Tensor, side: int) -> paddle.Tensor:
    """Repeat each position of a grid along both axes: (B, side * side, C) to (B, 4 * side * side, C)."""
    x = x.reshape([-1, side, 1, side, 1, x.shape[-1]]).expand([-1, side, 2, side, 2, x.shape[-1]])
    return x.flatten(1, 4)

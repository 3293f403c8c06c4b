"""The image encoder: Swin, and projections of its outputs to four levels with the same channels."""

from __future__ import annotations

from ovseg_core.grounding_dino import levels
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.grounding_dino.swin import Swin
from ovseg_core.quiet_paddle import nn, paddle

GROUPS = 32  # of each group norm


class Projection(nn.Layer):
    """A convolution and a norm: a map (1, C, h, w) to a map with the channels of the levels."""

    def __init__(self, channels: int, out_channels: int, halves: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2D(channels, out_channels, 3, 2, 1) if halves else nn.Conv2D(channels, out_channels, 1)
        self.norm = nn.GroupNorm(GROUPS, out_channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.conv(x))


class ImageEncoder(nn.Layer):
    """A normalised canvas (1, 3, H, W) to the features of all levels, (L, C), the finest level first."""

    def __init__(self, shape: Shape, canvas_hw: tuple[int, int]) -> None:
        super().__init__()
        self.sizes = levels.sizes(canvas_hw)
        self.swin = Swin(shape, canvas_hw)
        widths = [shape.swin_channels << stage for stage in (1, 2, 3, 3)]
        self.projections = nn.LayerList([Projection(width, shape.channels, i == 3) for i, width in enumerate(widths)])

    def forward(self, canvas: paddle.Tensor) -> paddle.Tensor:
        outputs = self.swin(canvas)
        maps = [x.transpose([1, 0]).reshape([1, -1, *self.sizes[i]]) for i, x in enumerate(outputs)]
        # The coarsest level is made from the same output as the level before it.
        features = [project(maps[min(i, len(maps) - 1)]) for i, project in enumerate(self.projections)]
        return paddle.concat([x.flatten(2).squeeze(0) for x in features], axis=1).transpose([1, 0])

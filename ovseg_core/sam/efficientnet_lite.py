"""SAM-Lite's image encoder: EfficientNet-Lite0 and a small neck, (B, 3, 512, 512) -> (B, 256, 32, 32).

EfficientNet-Lite0 (Tan and Le 2019; the Lite family drops squeeze-and-excitation and uses ReLU6) with its batch
normalisation folded into the convolutions. The neck brings strides 4, 8, 16 and 32 together at stride 16.
"""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn import functional as F

from ovseg_core.sam.layers import LayerNorm2d

STEM_CHANNELS = 32
# blocks, kernel, stride of the first, expansion, channels in, channels out
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
TAPS = (1, 2, 4, 6)  # the stages that end strides 4, 8, 16 and 32


class InvertedResidual(nn.Layer):
    """1x1 up, depthwise, 1x1 down (Sandler et al. 2018)."""

    def __init__(self, kernel: int, stride: int, expansion: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        self.expand = nn.Conv2D(channels_in, inner, 1) if expansion != 1 else None
        self.dw = nn.Conv2D(inner, inner, kernel, stride, kernel // 2, groups=inner)
        self.project = nn.Conv2D(inner, channels_out, 1)
        self.has_skip = stride == 1 and channels_in == channels_out

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.dw(y)))
        return x + y if self.has_skip else y


class EfficientNetLiteEncoder(nn.Layer):
    """Normalised RGB canvas to image embedding."""

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, STEM_CHANNELS, 3, 2, 1)
        self.stages = nn.LayerList([_stage(*row) for row in STAGES])
        c4, c8, c16, c32 = (STAGES[i][5] for i in TAPS)
        self.norm4, self.lat4 = LayerNorm2d(c4 * 16), nn.Conv2D(c4 * 16, channels, 1)
        self.norm8, self.lat8 = LayerNorm2d(c8 * 4), nn.Conv2D(c8 * 4, channels, 1)
        self.norm16, self.lat16 = LayerNorm2d(c16), nn.Conv2D(c16, channels, 1)
        self.norm32, self.lat32 = LayerNorm2d(c32), nn.Conv2D(c32, channels, 1)
        self.norm0 = LayerNorm2d(channels)
        self.c1 = nn.Conv2D(channels, channels // 2, 3, 1, 1)
        self.c2 = nn.Conv2D(channels // 2, channels, 3, 1, 1)
        self.norm_out = LayerNorm2d(channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = F.relu6(self.stem(x))
        taps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in TAPS:
                taps.append(x)
        stride4, stride8, stride16, stride32 = taps
        fused = (
            self.lat4(self.norm4(F.pixel_unshuffle(stride4, 4)))
            + self.lat8(self.norm8(F.pixel_unshuffle(stride8, 2)))
            + self.lat16(self.norm16(stride16))
            + F.interpolate(self.lat32(self.norm32(stride32)), scale_factor=2, mode="bilinear")
        )
        fused = self.norm0(fused)
        return self.norm_out(fused + self.c2(F.gelu(self.c1(fused))))


def _stage(blocks: int, kernel: int, stride: int, expansion: int, channels_in: int, channels_out: int) -> nn.Sequential:
    first = InvertedResidual(kernel, stride, expansion, channels_in, channels_out)
    rest = [InvertedResidual(kernel, 1, expansion, channels_out, channels_out) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)

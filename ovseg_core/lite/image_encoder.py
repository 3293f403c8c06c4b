"""SAM-Lite's image encoder: EfficientNet-Lite0 and a feature pyramid.

EfficientNet-Lite0 (Tan and Le, 2019; the Lite family has no squeeze-and-excitation and uses ReLU6) has its batch
normalisation folded into the convolutions. The pyramid (Lin et al., 2017) adds the features of deep layers to fine
maps. The last layers compute what the heads need from each map, so everything that does not depend on prompts is
computed once for each image.
"""

from __future__ import annotations

from ovseg_core.lite.layers import ConvReLU, Residual, doubled
from ovseg_core.lite.shape import CHANNELS, CONTEXT, PYRAMID, STAGES, STEM_CHANNELS, TAPS
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class InvertedResidual(nn.Layer):
    """A widening 1x1, a depthwise and a narrowing 1x1 convolution (Sandler et al., 2018, "MobileNetV2")."""

    def __init__(self, kernel: int, stride: int, expansion: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        self.expand = nn.Conv2D(channels_in, inner, 1) if expansion != 1 else None
        self.depthwise = nn.Conv2D(inner, inner, kernel, stride, kernel // 2, groups=inner)
        self.project = nn.Conv2D(inner, channels_out, 1)
        self.has_skip = stride == 1 and channels_in == channels_out

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.has_skip else y


class ImageEncoder(nn.Layer):
    """Normalised RGB canvases (B, 3, S, S) to maps (B, C, S/s, S/s), one for each stride s. S is a multiple of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2D(3, STEM_CHANNELS, 3, 2, 1)
        self.stages = nn.LayerList([_stage(*row) for row in STAGES])
        c2, c3, c4, c5 = (STAGES[i][5] for i in TAPS)
        p2, p3, p4 = PYRAMID
        self.lateral5, self.context = ConvReLU(c5, p4, 1), ConvReLU(p4, p4)
        self.deep5 = nn.Sequential(*(Residual(p4) for _ in range(CONTEXT)))
        self.lateral4, self.merge4, self.deep4 = nn.Conv2D(c4, p4, 1), ConvReLU(p4, p4), Residual(p4)
        self.lateral3, self.down4, self.merge3 = nn.Conv2D(c3, p3, 1), nn.Conv2D(p4, p3, 1), ConvReLU(p3, p3)
        self.lateral2, self.down3, self.merge2 = nn.Conv2D(c2, p2, 1), nn.Conv2D(p3, p2, 1), ConvReLU(p2, p2)
        self.ends = nn.LayerList([nn.Conv2D(p, c, 1) for p, c in zip(PYRAMID, CHANNELS, strict=True)])

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        x = F.relu6(self.stem(x))
        taps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in TAPS:
                taps.append(x)
        c2, c3, c4, c5 = taps
        p5 = self.deep5(self.context(self.lateral5(c5)))
        p4 = self.deep4(self.merge4(self.lateral4(c4) + doubled(p5)))
        p3 = self.merge3(self.lateral3(c3) + doubled(self.down4(p4)))
        p2 = self.merge2(self.lateral2(c2) + doubled(self.down3(p3)))
        return tuple(self.ends[i](p) for i, p in enumerate((p2, p3, p4)))


def _stage(blocks: int, kernel: int, stride: int, expansion: int, channels_in: int, channels_out: int) -> nn.Sequential:
    """Make a stage from a row of `STAGES`."""
    first = InvertedResidual(kernel, stride, expansion, channels_in, channels_out)
    rest = [InvertedResidual(kernel, 1, expansion, channels_out, channels_out) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)

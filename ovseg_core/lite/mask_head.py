"""From a region of any size to the mask of the object in it."""

from __future__ import annotations

from collections.abc import Sequence

from ovseg_core.lite.layers import ConvReLU, Hourglass, Score, doubled, sampled
from ovseg_core.lite.shape import MAPS, MASK_CHANNELS, STRIDES
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class MaskHead(nn.Layer):
    """Features of a region and its prompt maps to logits.

    It is a class-agnostic Mask R-CNN head (He et al., 2017) with an hourglass, which makes such a head generalise to
    other classes (Birodkar et al., 2021).
    """

    def __init__(self) -> None:
        super().__init__()
        fine, _, entered = MASK_CHANNELS
        self.enter = nn.Conv2D(fine + MAPS, entered, 1)
        self.hourglass = Hourglass(entered, 96, 128)
        self.up = nn.Conv2D(entered, fine, 1)
        self.fine = ConvReLU(fine, 16)
        self.out = nn.Conv2D(16, 1, 3, padding=1)
        self.score = Score(128, 1)

    def forward(
        self,
        maps: Sequence[paddle.Tensor],  # of one image, one for each stride: 1, C, h, w with C from MASK_CHANNELS
        filters: Sequence[tuple[paddle.Tensor, paddle.Tensor]],  # `geometry.region_filters` for each map, to MASK_CELLS
        drawn: paddle.Tensor,  # N, MAPS, 32, 32: `prompt_maps.of_region`
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return the logits of the regions (N, 64, 64) and their predicted IoU (N,)."""
        detail, region8, region16 = (sampled(maps[i], *filters[i]) for i in range(len(STRIDES)))
        entered = self.enter(paddle.concat([F.avg_pool2d(detail, 2), drawn], 1))
        x, whole = self.hourglass(F.relu(entered + region8 + region16))
        x = self.fine(doubled(self.up(x)) + detail)
        return self.out(x).squeeze(1), self.score(whole).squeeze(1)

"""The mask of what is in a region, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import nn

from ovseg_core.lite.layers import ConvReLU, Hourglass, Score, doubled, sampled
from ovseg_core.lite.shape import CHANNELS, MAPS


class MaskHead(nn.Layer):
    """Features of a region and prompt maps to logits: a class-agnostic Mask R-CNN head (He et al., 2017) with the
    hourglass that makes one generalise (Birodkar et al., 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = ConvReLU(sum(CHANNELS) + MAPS, 96, 1)
        self.hourglass = Hourglass(96, 128, 192)
        self.up, self.detail = nn.Conv2D(96, 48, 1), nn.Conv2D(CHANNELS[0], 48, 1)
        self.fine = ConvReLU(48, 48)
        self.out = nn.Conv2D(48, 1, 3, padding=1)
        self.score = Score(192, 1)

    def forward(
        self,
        maps: Sequence[paddle.Tensor],  # of one image
        filters: Sequence[tuple[paddle.Tensor, paddle.Tensor]],  # `geometry.region_filters` to 32 cells, of each map
        fine_filters: tuple[paddle.Tensor, paddle.Tensor],  # of the first map, to 64
        told: paddle.Tensor,  # N, MAPS, 32, 32: `prompt_maps.of_region`
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Logits of the regions (N, 64, 64) and their predicted IoU (N,)."""
        seen = [sampled(m, *rows_columns) for m, rows_columns in zip(maps, filters, strict=True)]
        x, whole = self.hourglass(self.enter(paddle.concat([*seen, told], 1)))
        x = self.fine(doubled(self.up(x)) + self.detail(sampled(maps[0], *fine_filters)))
        return self.out(x).squeeze(1), self.score(whole).squeeze(1)

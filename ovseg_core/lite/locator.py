"""Where a click points: coarse masks of the whole canvas."""

from __future__ import annotations

import paddle
from paddle import nn

from ovseg_core.lite.layers import ConvReLU, Hourglass, Score, doubled
from ovseg_core.lite.shape import CANDIDATES, CHANNELS, CLICK_WIDTHS


class Locator(nn.Layer):
    """Clicks to coarse masks by likeness: features are multiplied with those at the clicks."""

    def __init__(self) -> None:
        super().__init__()
        _, p3, p4 = CHANNELS
        self.feature = nn.Conv2D(p4, 96, 1)
        self.key4, self.key3 = nn.Linear(p4, 96), nn.Linear(p3, 96)
        self.enter = ConvReLU(96 + 96 + 2 * len(CLICK_WIDTHS), 96, 1)
        self.hourglass = Hourglass(96, 128, 192)
        self.up, self.detail = nn.Conv2D(96, 48, 1), nn.Conv2D(p3, 48, 1)
        self.key8 = nn.Linear(p3, 48)
        self.fine = ConvReLU(48 + 48 + 2, 32)
        self.out = nn.Conv2D(32, CANDIDATES, 3, padding=1)
        self.score = Score(192, CANDIDATES)

    def forward(
        self,
        p3: paddle.Tensor,  # 1, C, h, w
        p4: paddle.Tensor,
        at3: paddle.Tensor,  # N, h * w: `geometry.point_weights` of the clicks on the object
        at4: paddle.Tensor,
        drawn3: paddle.Tensor,  # N, 2, h, w: `prompt_maps.of_canvas`
        drawn4: paddle.Tensor,  # N, 2 * len(CLICK_WIDTHS), h, w
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Coarse logits (N, CANDIDATES, H/8, W/8) and their predicted IoU (N, CANDIDATES)."""
        clicked3 = at3 @ p3.flatten(2)[0].T
        clicked4 = at4 @ p4.flatten(2)[0].T
        key = self.key4(clicked4) + self.key3(clicked3)
        feature = self.feature(p4)
        like = feature * key.unsqueeze([2, 3])
        x, whole = self.hourglass(self.enter(paddle.concat([feature.expand_as(like), like, drawn4], 1)))
        detail = self.detail(p3)
        like = detail * self.key8(clicked3).unsqueeze([2, 3])
        fine = self.fine(paddle.concat([doubled(self.up(x)) + detail, like, drawn3], 1))
        return self.out(fine), self.score(whole)

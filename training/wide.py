"""The wide SAM-Lite, which is trained first. It then teaches the shipped one, `training/network.py`.

Its heads read the pyramid itself, with 1.5 to 3 times as many channels: too slow for a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ovseg_core.lite.shape import (
    CANDIDATES,
    CLICK_WIDTHS,
    COARSE_STRIDE,
    FINE_CLICK_WIDTH,
    MAPS,
    MASK,
    PYRAMID,
    REGION,
    STRIDES,
)
from training.network import Hourglass, Pyramid, Score, at_clicks, click_maps, convolution, doubled, sampled


class MaskHead(nn.Module):
    """Regions (N, 4) of canvases and their prompt maps (N, MAPS, 32, 32) -> logits (N, 64, 64), predicted IoU (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = convolution(sum(PYRAMID) + MAPS, 96, 1)
        self.hourglass = Hourglass(96, 128, 192)
        self.up = nn.Conv2d(96, 48, 1)
        self.detail = nn.Conv2d(PYRAMID[0], 48, 1)
        self.fine = convolution(48, 48)
        self.out = nn.Conv2d(48, 1, 3, padding=1)
        self.score = Score(192, 1)

    def forward(self, maps: list[Tensor], of: Tensor, regions: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        seen = [sampled(m, stride, of, regions, REGION) for m, stride in zip(maps, STRIDES, strict=True)]
        x, whole = self.hourglass(self.enter(torch.cat([*seen, prompts], 1)))
        detail = self.detail(sampled(maps[0], STRIDES[0], of, regions, MASK))
        x = self.fine(doubled(self.up(x)) + detail)
        return self.out(x)[:, 0], self.score(whole)[:, 0]


class Locator(nn.Module):
    """Clicks on whole canvases -> three coarse masks each (N, 3, H/8, W/8) and their predicted IoUs (N, 3)."""

    def __init__(self) -> None:
        super().__init__()
        _, p3, p4 = PYRAMID
        self.feature = nn.Conv2d(p4, 96, 1)
        self.key4, self.key3 = nn.Linear(p4, 96), nn.Linear(p3, 96)
        self.enter = convolution(96 + 96 + 2 * len(CLICK_WIDTHS), 96, 1)
        self.hourglass = Hourglass(96, 128, 192)
        self.up, self.detail = nn.Conv2d(96, 48, 1), nn.Conv2d(p3, 48, 1)
        self.key8 = nn.Linear(p3, 48)
        self.fine = convolution(48 + 48 + 2, 32)
        self.out = nn.Conv2d(32, CANDIDATES, 3, padding=1)
        self.score = Score(192, CANDIDATES)

    def forward(self, maps: list[Tensor], of: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        _, p3, p4 = maps
        clicked4 = at_clicks(p4, STRIDES[2], of, points, labels)
        clicked3 = at_clicks(p3, STRIDES[1], of, points, labels)
        key = self.key4(clicked4) + self.key3(clicked3)
        near = [click_maps(points, labels, p4.shape[2:], STRIDES[2], sigma) for sigma in CLICK_WIDTHS]
        feature = self.feature(p4)[of]
        x, whole = self.hourglass(self.enter(torch.cat([feature, feature * key[:, :, None, None], *near], 1)))
        detail = self.detail(p3)[of]
        alike = detail * self.key8(clicked3)[:, :, None, None]
        near8 = click_maps(points, labels, p3.shape[2:], COARSE_STRIDE, FINE_CLICK_WIDTH)
        x = self.fine(torch.cat([doubled(self.up(x)) + detail, alike, near8], 1))
        return self.out(x), self.score(whole)


class SamLite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = Pyramid()
        self.locator = Locator()
        self.mask_head = MaskHead()

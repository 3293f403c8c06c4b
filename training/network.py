"""SAM-Lite in torch, as it is trained. `ovseg_core/lite` is the same network for inference.

An image is encoded once: EfficientNet-Lite0 (Tan, 2020; ImageNet weights), a small feature pyramid (Lin et al., 2017)
and one convolution per map, which reduces it to what the heads need. This gives maps at strides 4, 8 and 16. Prompts
are decoded from these maps alone:

* `MaskHead` reads the region of a box, resampled to 32x32 for any size (RoIAlign of Mask R-CNN, He et al., 2017), with
  the clicks drawn as maps (RITM, Sofiiuk et al., 2021), and returns a 64x64 mask of the region. Its hourglass, as in
  DeepMAC (Birodkar et al., 2021), lets a class-agnostic head generalise.
* `Locator` reads the whole frame if there are clicks and no box. It returns three coarse masks, because a click is
  ambiguous. The region of each goes to the mask head.

All coordinates are pixels of the canvas, with a pixel's centre at +0.5. Prompts are in the order of their canvases.
Convolutions have BatchNorm in training; `export` folds it into their weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ovseg_core.lite.shape import (
    CANDIDATES,
    CHANNELS,
    CLICK_WIDTHS,
    COARSE_STRIDE,
    CONTEXT,
    EDGE,
    FINE_CHANNELS,
    FINE_CLICK_WIDTH,
    LOCATOR_CHANNELS,
    MAPS,
    MASK,
    MASK_CHANNELS,
    PYRAMID,
    REGION,
    SCORE_CHANNELS,
    SHAPES,
    STAGES,
    STATISTICS,
    STEM_CHANNELS,
    STRIDES,
    TAPS,
)
from training.geometry import at_clicks, click_maps, sampled


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class InvertedResidual(nn.Module):
    """MobileNetV2's block, with its BatchNorm already folded into its convolutions."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = nn.Conv2d(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner)
        self.project = nn.Conv2d(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class ImageEncoder(nn.Module):
    """(B, 3, H, W), H and W multiples of 32, RGB as (value - 127) / 128 -> maps (B, C, H/s, W/s).

    C is that of `CHANNELS` and s that of `STRIDES`: what the heads need.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_CHANNELS, 3, 2, 1)
        self.stages = nn.ModuleList(
            nn.Sequential(*(InvertedResidual(k, s if i == 0 else 1, e, c if i == 0 else o, o) for i in range(repeats)))
            for repeats, k, s, e, c, o in STAGES
        )
        c2, c3, c4, c5 = (STAGES[tap][5] for tap in TAPS)
        p2, p3, p4 = PYRAMID
        self.lateral5 = convolution(c5, p4, 1)
        self.context = convolution(p4, p4)
        self.deep5 = nn.Sequential(*(Residual(p4) for _ in range(CONTEXT)))
        self.lateral4, self.merge4 = nn.Conv2d(c4, p4, 1), convolution(p4, p4)
        self.deep4 = Residual(p4)
        self.lateral3, self.down4, self.merge3 = nn.Conv2d(c3, p3, 1), nn.Conv2d(p4, p3, 1), convolution(p3, p3)
        self.lateral2, self.down3, self.merge2 = nn.Conv2d(c2, p2, 1), nn.Conv2d(p3, p2, 1), convolution(p2, p2)
        self.ends = nn.ModuleList(nn.Conv2d(p, c, 1) for p, c in zip(PYRAMID, CHANNELS, strict=True))
        self.frozen_stages = 0

    def forward(self, x: Tensor) -> list[Tensor]:
        grad = torch.is_grad_enabled()
        with torch.set_grad_enabled(grad and self.frozen_stages == 0):
            x = F.relu6(self.stem(x))
        taps = []
        for i, stage in enumerate(self.stages):
            with torch.set_grad_enabled(grad and i >= self.frozen_stages):
                x = stage(x)
            if i in TAPS:
                taps.append(x)
        c2, c3, c4, c5 = taps
        p5 = self.deep5(self.context(self.lateral5(c5)))
        p4 = self.deep4(self.merge4(self.lateral4(c4) + doubled(p5)))
        p3 = self.merge3(self.lateral3(c3) + doubled(self.down4(p4)))
        p2 = self.merge2(self.lateral2(c2) + doubled(self.down3(p3)))
        return [end(p) for end, p in zip(self.ends, (p2, p3, p4), strict=True)]


class Residual(nn.Module):
    """Two convolutions that add to their input. They add nothing at the start of a training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter, self.out = convolution(channels, channels), nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.out(self.enter(x))


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Hourglass(nn.Module):
    """32x32 -> 16x16 -> 8x8 and back, with skips. Also returns the pooled middle, from which the IoU is predicted."""

    def __init__(self, top: int, middle: int, bottom: int) -> None:
        super().__init__()
        self.enter = convolution(top, top)
        self.down1, self.mid1 = convolution(top, middle, stride=2), convolution(middle, middle)
        self.down2, self.mid2 = convolution(middle, bottom, stride=2), convolution(bottom, bottom)
        self.deep = Residual(bottom)
        self.whole = nn.Linear(bottom, bottom)
        self.up2, self.out2 = nn.Conv2d(bottom, middle, 1), convolution(middle, middle)
        self.up1, self.out1 = nn.Conv2d(middle, top, 1), convolution(top, top)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.enter(x)
        y = self.mid1(self.down1(x))
        z = self.deep(self.mid2(self.down2(y)))
        whole = z.mean((2, 3))
        z = z + self.whole(whole)[:, :, None, None]
        y = self.out2(y + resized(self.up2(z), y))
        x = self.out1(x + resized(self.up1(y), x))
        return x, whole


def resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class Score(nn.Module):
    """Predicts the IoU of K masks of each prompt, 0 to 1, from a summary of the prompt and of what is in each mask."""

    def __init__(self, whole: int, inside: int, masks: int) -> None:
        super().__init__()
        self.masks = masks
        self.whole, self.inside = nn.Linear(whole, SCORE_CHANNELS * masks), nn.Linear(inside, SCORE_CHANNELS)
        self.out = nn.Linear(SCORE_CHANNELS, 1)

    def forward(self, whole: Tensor, inside: Tensor) -> Tensor:
        hidden = self.whole(whole).unflatten(1, (self.masks, -1)) + self.inside(inside)
        return torch.sigmoid(self.out(F.relu(hidden)).float())[..., 0]


def statistics(logits: Tensor) -> Tensor:
    """Return the logarithm of the area of masks (N, K, h, w), how sure and how stable they are: (N, K, 3)."""
    p = torch.sigmoid(logits)
    area, cells = p.sum((2, 3)), p[0, 0].numel()
    stable = ((logits > 1).float().sum((2, 3)) + 1) / ((logits > -1).float().sum((2, 3)) + 1)
    return torch.stack([torch.log(area / cells + 1e-4), (p * p).sum((2, 3)) / (area + 1), stable], 2)


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Return the sums (N, K, C) of the products of each map of (N, K, h, w) with each of (N, C, h, w)."""
    return a.flatten(2) @ b.flatten(2).transpose(1, 2)


def means_in(p: Tensor, features: Tensor) -> Tensor:
    """Return the means (N, K, C) of features (N, C, h, w) in masks (N, K, h, w)."""
    return overlaps(p, features) / (p.sum((2, 3)) + 1)[..., None]


class MaskHead(nn.Module):
    """Regions (N, 4) of canvases and their prompt maps (N, MAPS, 32, 32) -> logits (N, 64, 64), predicted IoU (N,)."""

    def __init__(self) -> None:
        super().__init__()
        fine, _, entered = MASK_CHANNELS
        self.enter = nn.Conv2d(fine + MAPS, entered, 1)
        self.hourglass = Hourglass(entered, 96, 128)
        self.up = nn.Conv2d(entered, fine, 1)
        self.fine = convolution(fine, FINE_CHANNELS)
        self.out = nn.Conv2d(FINE_CHANNELS, 1, 3, padding=1)
        self.score = Score(128, entered + FINE_CHANNELS + STATISTICS + 2 * SHAPES + 1, 1)

    def forward(self, maps: list[Tensor], of: Tensor, regions: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        logits, *summary = self.described(maps, of, regions, prompts)
        return logits, self.score(*summary)[:, 0]

    def described(
        self, maps: list[Tensor], of: Tensor, regions: Tensor, prompts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, and what the score sees of prompts (N, C) and of their masks (N, 1, C')."""
        m2, m3, m4 = (m[:, :channels] for m, channels in zip(maps, MASK_CHANNELS, strict=True))
        detail = sampled(m2, STRIDES[0], of, regions, MASK)
        seen = sampled(m3, STRIDES[1], of, regions, REGION) + sampled(m4, STRIDES[2], of, regions, REGION)
        entered = self.enter(torch.cat([F.avg_pool2d(detail, 2), prompts], 1))
        x, whole = self.hourglass(F.relu(entered + seen))
        fine = self.fine(doubled(self.up(x)) + detail)
        logits = self.out(fine).float()
        return logits[:, 0], whole, self._inside(logits.detach(), x, fine, prompts[:, :SHAPES])

    def _inside(self, logits: Tensor, x: Tensor, fine: Tensor, shapes: Tensor) -> Tensor:
        """Describe a mask (N, 1, 64, 64): features in it, how it fits the prompts, if the region's edge cuts it off."""
        p = torch.sigmoid(logits)
        coarse, area = F.avg_pool2d(p, 2), p.sum((2, 3))[..., None]
        common = overlaps(coarse, shapes)
        fits = [common / (area / 4 + 1), common / (shapes.sum((2, 3))[:, None] + 1)]
        inner = p[:, :, EDGE:-EDGE, EDGE:-EDGE].sum((2, 3))[..., None]
        means = [means_in(coarse, x), means_in(p, fine)]
        return torch.cat([*means, statistics(logits), *fits, (area - inner) / (area + 1)], 2)


class Locator(nn.Module):
    """Clicks on whole canvases -> three coarse masks each (N, 3, H/8, W/8) and their predicted IoUs (N, 3)."""

    def __init__(self) -> None:
        super().__init__()
        fine, entered = LOCATOR_CHANNELS
        self.key, self.fine_key = nn.Linear(sum(CHANNELS[1:]), entered), nn.Linear(sum(CHANNELS[1:]), fine)
        self.enter = nn.Conv2d(entered + 2 * len(CLICK_WIDTHS), entered, 1)
        self.hourglass = Hourglass(entered, 80, 128)
        self.up, self.near = nn.Conv2d(entered, fine, 1), nn.Conv2d(2, fine, 1)
        self.fine = convolution(fine, FINE_CHANNELS)
        self.out = nn.Conv2d(FINE_CHANNELS, CANDIDATES, 3, padding=1)
        self.score = Score(128, entered + FINE_CHANNELS + STATISTICS + 2, CANDIDATES)

    def forward(self, maps: list[Tensor], of: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        _, m3, m4 = maps
        at3, at4 = (at_clicks(m, s, of, points, labels) for m, s in zip(maps[1:], STRIDES[1:], strict=True))
        clicked = torch.cat([at3, at4], 1)
        detail = m3[:, MASK_CHANNELS[1] :]
        feature, same = m4[:, MASK_CHANNELS[2] :].chunk(2, 1)
        like = feature[of] * self.key(clicked)[:, :, None, None]
        near = [click_maps(points, labels, m4.shape[2:], STRIDES[2], sigma) for sigma in CLICK_WIDTHS]
        x, whole = self.hourglass(F.relu(self.enter(torch.cat([like, *near], 1)) + same[of]))
        like = detail[of] * (1 + self.fine_key(clicked))[:, :, None, None]
        near8 = click_maps(points, labels, m3.shape[2:], COARSE_STRIDE, FINE_CLICK_WIDTH)
        fine = self.fine(doubled(self.up(x)) + like + self.near(near8))
        logits = self.out(fine).float()
        return logits, self.score(whole, self._inside(logits.detach(), x, fine, near8))

    def _inside(self, logits: Tensor, x: Tensor, fine: Tensor, clicks: Tensor) -> Tensor:
        """Describe each candidate (N, K, h, w): the features in it, and how much of the clicks it covers."""
        p = torch.sigmoid(logits)
        covered = overlaps(p, clicks) / (clicks.sum((2, 3))[:, None] + 1)
        return torch.cat([means_in(F.avg_pool2d(p, 2), x), means_in(p, fine), statistics(logits), covered], 2)


class SamLite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = ImageEncoder()
        self.locator = Locator()
        self.mask_head = MaskHead()

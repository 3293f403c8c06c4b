"""From a region of any size to the mask of the object in it."""

from __future__ import annotations

from ovseg_core.lite.layers import ConvReLU, Hourglass, Score, doubled, overlaps, statistics
from ovseg_core.lite.shape import EDGE, FINE_CHANNELS, MAPS, MASK, MASK_CHANNELS, SHAPES, STATISTICS
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
        self.fine = ConvReLU(fine, FINE_CHANNELS)
        self.out = nn.Conv2D(FINE_CHANNELS, 1, 3, padding=1)
        self.score = Score(128, entered + FINE_CHANNELS + STATISTICS + 2 * SHAPES + 1, 1)

    def forward(
        self,
        detail: paddle.Tensor,  # N, C, 64, 64: the map of stride 4, resampled by `geometry.sampled`
        region: paddle.Tensor,  # N, C, 32, 32: the sum of those of strides 8 and 16
        drawn: paddle.Tensor,  # N, MAPS, 32, 32: `prompt_maps.of_region`
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return the logits of the regions (N, 64, 64) and their predicted IoU (N,)."""
        entered = self.enter(paddle.concat([F.avg_pool2d(detail, 2), drawn], 1))
        x, whole = self.hourglass(F.relu(entered + region))
        fine = self.fine(doubled(self.up(x)) + detail)
        logits = self.out(fine)
        return logits.squeeze(1), self.score(whole, _summary(logits, x, fine, drawn[:, :SHAPES])).squeeze(1)


def _summary(logits: paddle.Tensor, x: paddle.Tensor, fine: paddle.Tensor, shapes: paddle.Tensor) -> paddle.Tensor:
    """Return what the score sees of a mask (N, 1, 64, 64): (N, 1, C).

    That is the features in the mask, how it fits the drawn prompts, and how much of it is at the edge of its region.
    """
    flat = logits.flatten(2)  # for the reason in `locator`
    probability = F.sigmoid(flat)
    area = probability.sum(2, keepdim=True)
    mask = probability.reshape([-1, 1, MASK, MASK])
    coarse = F.avg_pool2d(mask, 2)
    # For one mask, sums of products are faster than `overlaps`, for which OpenVINO has to reorder the features.
    in_coarse, in_fine = ((m * p).sum([2, 3]).unsqueeze(1) for m, p in ((x, coarse), (fine, mask)))
    common = overlaps(coarse.flatten(2), shapes)
    fits = [common / (area / 4 + 1), common / (shapes.sum([2, 3]) + 1).unsqueeze(1)]
    at_edge = area - mask[:, :, EDGE:-EDGE, EDGE:-EDGE].sum([2, 3]).unsqueeze(2)
    means = [in_coarse / (area / 4 + 1), in_fine / (area + 1)]
    return paddle.concat([*means, statistics(flat, probability, area), *fits, at_edge / (area + 1)], 2)

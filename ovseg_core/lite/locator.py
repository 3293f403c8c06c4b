"""From clicks to coarse masks of the whole canvas."""

from __future__ import annotations

from ovseg_core.lite.layers import ConvReLU, Hourglass, Score, doubled, overlaps, statistics
from ovseg_core.lite.shape import CANDIDATES, CHANNELS, CLICK_WIDTHS, FINE_CHANNELS, LOCATOR_CHANNELS, STATISTICS
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class Locator(nn.Layer):
    """Clicks to coarse masks, by similarity: the features of the image are multiplied by those at the clicks."""

    def __init__(self) -> None:
        super().__init__()
        fine, entered = LOCATOR_CHANNELS
        self.key, self.fine_key = nn.Linear(sum(CHANNELS[1:]), entered), nn.Linear(sum(CHANNELS[1:]), fine)
        self.enter = nn.Conv2D(entered + 2 * len(CLICK_WIDTHS), entered, 1)
        self.hourglass = Hourglass(entered, 80, 128)
        self.up, self.near = nn.Conv2D(entered, fine, 1), nn.Conv2D(2, fine, 1)
        self.fine = ConvReLU(fine, FINE_CHANNELS)
        self.out = nn.Conv2D(FINE_CHANNELS, CANDIDATES, 3, padding=1)
        self.score = Score(128, entered + FINE_CHANNELS + STATISTICS + 2, CANDIDATES)

    def forward(
        self,
        detail: paddle.Tensor,  # 1, C, S/8, S/8
        feature: paddle.Tensor,  # 1, C, S/16, S/16: multiplied by the features at the clicks
        same: paddle.Tensor,  # 1, C, S/16, S/16: added, the same for all prompts
        clicked: paddle.Tensor,  # N, C: features at the clicks on the object, of the maps of strides 8 and 16
        drawn8: paddle.Tensor,  # N, 2, S/8, S/8: `prompt_maps.of_canvas`
        drawn16: paddle.Tensor,  # N, 2 * len(CLICK_WIDTHS), S/16, S/16
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return coarse logits (N, CANDIDATES, S/8, S/8) and their predicted IoU (N, CANDIDATES)."""
        similar = feature * self.key(clicked).unsqueeze([2, 3])
        x, whole = self.hourglass(F.relu(self.enter(paddle.concat([similar, drawn16], 1)) + same))
        similar = detail * (1 + self.fine_key(clicked)).unsqueeze([2, 3])
        fine = self.fine(doubled(self.up(x)) + similar + self.near(drawn8))
        logits = self.out(fine)
        return logits, self.score(whole, _summary(logits, x, fine, drawn8))


def _summary(logits: paddle.Tensor, x: paddle.Tensor, fine: paddle.Tensor, drawn8: paddle.Tensor) -> paddle.Tensor:
    """Return what the score sees of each candidate: the features in it, and how much of the clicks it covers."""
    height, width = logits.shape[2:]
    # Flat, because OpenVINO computes masks as slowly as maps with sixteen channels otherwise
    flat = logits.flatten(2)
    mask = F.sigmoid(flat)
    coarse = F.avg_pool2d(mask.reshape([-1, 1, height, width]), 2).reshape([-1, CANDIDATES, height * width // 4])
    area = mask.sum(2, keepdim=True)
    means = [overlaps(coarse, x) / (area / 4 + 1), overlaps(mask, fine) / (area + 1)]
    covered = overlaps(mask, drawn8) / (drawn8.sum([2, 3]) + 1).unsqueeze(1)
    return paddle.concat([*means, statistics(flat, mask, area), covered], 2)

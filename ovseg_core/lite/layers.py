"""Layers that several parts of SAM-Lite use: convolutions, the hourglass, scores."""

from __future__ import annotations

from ovseg_core.lite.shape import SCORE_CHANNELS
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class ConvReLU(nn.Conv2D):
    """A convolution that keeps the size, or halves it with a stride of 2, and a ReLU.

    The batch normalisation of the training is folded into the convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return F.relu(super().forward(x))


class Residual(nn.Layer):
    """Two convolutions whose result is added to their input (He et al., 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter, self.out = ConvReLU(channels, channels), nn.Conv2D(channels, channels, 3, padding=1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return x + self.out(self.enter(x))


class Hourglass(nn.Layer):
    """Process a map (N, C, h, w) at three scales, with skips.

    Returns the map (N, C, h, w), and the mean of the smallest scale (N, C'), a summary of the prompt for `Score`.
    """

    def __init__(self, top: int, middle: int, bottom: int) -> None:
        super().__init__()
        self.enter = ConvReLU(top, top)
        self.down1, self.mid1 = ConvReLU(top, middle, stride=2), ConvReLU(middle, middle)
        self.down2, self.mid2 = ConvReLU(middle, bottom, stride=2), ConvReLU(bottom, bottom)
        self.deep = Residual(bottom)
        self.whole = nn.Linear(bottom, bottom)
        self.up2, self.out2 = nn.Conv2D(bottom, middle, 1), ConvReLU(middle, middle)
        self.up1, self.out1 = nn.Conv2D(middle, top, 1), ConvReLU(top, top)

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        x = self.enter(x)
        y = self.mid1(self.down1(x))
        z = self.deep(self.mid2(self.down2(y)))
        whole = z.mean([2, 3])
        z = z + self.whole(whole).unsqueeze([2, 3])
        y = self.out2(y + doubled(self.up2(z)))
        return self.out1(x + doubled(self.up1(y))), whole


class Score(nn.Layer):
    """Predicts the IoU of K masks of each prompt, 0 to 1."""

    def __init__(self, whole: int, inside: int, masks: int) -> None:
        super().__init__()
        self.masks = masks
        self.whole, self.inside = nn.Linear(whole, SCORE_CHANNELS * masks), nn.Linear(inside, SCORE_CHANNELS)
        self.out = nn.Linear(SCORE_CHANNELS, 1)

    def forward(self, whole: paddle.Tensor, inside: paddle.Tensor) -> paddle.Tensor:
        """Return the predicted IoU (N, K) from a summary of each prompt (N, C) and of each of its masks (N, K, C')."""
        of_prompt = self.whole(whole).reshape([-1, self.masks, SCORE_CHANNELS])
        return F.sigmoid(self.out(F.relu(of_prompt + self.inside(inside)))).squeeze(2)


def statistics(logits: paddle.Tensor, probability: paddle.Tensor, area: paddle.Tensor) -> paddle.Tensor:
    """Return the logarithm of the area of masks (N, K, P), how sure and how stable they are: (N, K, 3).

    P is their number of cells. `area` (N, K, 1) is the sum of their probabilities.
    """
    wide, narrow = ((logits > level).astype("float32").sum(2, keepdim=True) + 1 for level in (-1.0, 1.0))
    sure = (probability * probability).sum(2, keepdim=True) / (area + 1)
    return paddle.concat([paddle.log(area / logits.shape[2] + 1e-4), sure, narrow / wide], 2)


def overlaps(masks: paddle.Tensor, maps: paddle.Tensor) -> paddle.Tensor:
    """Return the sums of the products of masks (N, K, P) and maps (N, C, h, w), with P = h * w: (N, K, C)."""
    return paddle.matmul(masks, maps.flatten(2), transpose_y=True)


def doubled(x: paddle.Tensor) -> paddle.Tensor:
    """(N, C, h, w) to (N, C, 2h, 2w), bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear")

"""The small layers that SAM's modules share."""

from __future__ import annotations

from itertools import pairwise

import paddle
from paddle import nn
from paddle.nn import functional as F


class LayerNorm2d(nn.Layer):
    """Layer normalisation over the channels of an image (N, C, H, W), each position on its own."""

    def __init__(self, channels: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = self.create_parameter([channels], default_initializer=nn.initializer.Constant(1.0))
        self.bias = self.create_parameter([channels], is_bias=True)
        self.epsilon = epsilon

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        channels_last = x.transpose([0, 2, 3, 1])
        normal = F.layer_norm(channels_last, channels_last.shape[-1:], self.weight, self.bias, self.epsilon)
        return normal.transpose([0, 3, 1, 2])


class MLP(nn.Layer):
    """Linear layers with ReLU between them; `layers.0`, `layers.1`, ... in the checkpoint."""

    def __init__(self, in_features: int, hidden: int, out_features: int, depth: int) -> None:
        super().__init__()
        widths = [in_features, *[hidden] * (depth - 1), out_features]
        self.layers = nn.LayerList([nn.Linear(a, b) for a, b in pairwise(widths)])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def neck(channels: int, out_channels: int) -> nn.Sequential:
    """From the last block of an image encoder, (B, C, h, w), to the image embedding."""
    return nn.Sequential(
        nn.Conv2D(channels, out_channels, 1, bias_attr=False),
        LayerNorm2d(out_channels),
        nn.Conv2D(out_channels, out_channels, 3, padding=1, bias_attr=False),
        LayerNorm2d(out_channels),
    )

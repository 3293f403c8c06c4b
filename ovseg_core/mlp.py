"""Linear layers with ReLU between them."""

from __future__ import annotations

from itertools import pairwise

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class MLP(nn.Layer):
    """(N, in_features) to (N, out_features) in `depth` linear layers.

    Their names in a checkpoint are `layers.0`, `layers.1` and so on.
    """

    def __init__(self, in_features: int, hidden: int, out_features: int, depth: int) -> None:
        super().__init__()
        widths = [in_features, *[hidden] * (depth - 1), out_features]
        self.layers = nn.LayerList([nn.Linear(a, b) for a, b in pairwise(widths)])

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)

"""The text encoder: BERT (Devlin et al., 2018, https://arxiv.org/abs/1810.04805), and a projection to C channels."""

from __future__ import annotations

from ovseg_core.grounding_dino.attention import Attention
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle

EPSILON = 1e-12


class Layer(nn.Layer):
    """Attention and feed-forward, each with a residual and before a norm."""

    def __init__(self, channels: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.wide = nn.Linear(channels, hidden)
        self.narrow = nn.Linear(hidden, channels)
        self.norm2 = nn.LayerNorm(channels, EPSILON)

    def forward(self, x: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        x = self.norm1(x + self.attention(x, x, x, mask))
        return self.norm2(x + self.narrow(F.gelu(self.wide(x))))


class TextEncoder(nn.Layer):
    """Tokens and their positions (T,) int64, and a mask (T, T) for the scores, to features (T, C)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels = shape.text_channels
        self.words = nn.Embedding(shape.vocabulary, channels)
        self.positions = nn.Embedding(shape.text_positions, channels)
        self.kinds = nn.Embedding(2, channels)  # of the sentence in a pair; there is only one sentence here
        self.norm = nn.LayerNorm(channels, EPSILON)
        layers = (Layer(channels, shape.text_heads, shape.text_hidden) for _ in range(shape.text_depth))
        self.layers = nn.LayerList(list(layers))
        self.projection = nn.Linear(channels, shape.channels)

    def forward(self, tokens: paddle.Tensor, positions: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        x = self.norm(self.words(tokens) + self.positions(positions) + self.kinds.weight[0])
        for layer in self.layers:
            x = layer(x, mask)
        return self.projection(x)

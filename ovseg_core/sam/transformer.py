"""The two-way transformer of SAM's mask decoder (Kirillov et al. 2023, appendix A).

Tokens (the questions) and image features (the place to look) attend to each other in turn. N prompts, T tokens, L = h*w
image positions, C channels. Until tokens have told it anything, the image is the same for all prompts: (1, L, C) serves
the N of them, and what is computed of it is computed once.
"""

from __future__ import annotations

import numpy as np

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class Attention(nn.Layer):
    """Multi-head attention whose inner width D may be smaller than C (`downsample_rate`).

    Tokens are few, image positions many, so the image is never projected nor rearranged. What comes from tokens is
    written once for each head, with zeros where the channels of the others are: a product with it is the product of one
    head. And projections of the image are taken to the other side of a product: q (x W) is (q W) x.
    """

    def __init__(self, channels: int, heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        inner = channels // downsample_rate
        self.heads, self.inner = heads, inner
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)
        self.scale = (inner // heads) ** -0.5
        of_head = np.kron(np.eye(heads, dtype=np.float32), np.ones(inner // heads, np.float32))
        self.register_buffer("of_head", paddle.to_tensor(of_head.reshape(1, heads, 1, inner)), persistable=False)

    def of_tokens(self, q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
        """Queries of tokens (N, T, C), keys and values of anything (1 or N, L, C), to (N, T, C)."""
        asked = paddle.matmul(self._by_head(self.q_proj(q) * self.scale), self.k_proj.weight, transpose_y=True)
        # The keys' bias would add the same to all that a query finds, which softmax takes away again.
        found = _times(asked, k, transpose=True)
        # Softmax, its division last, where there is less to divide. OpenVINO would fuse a whole softmax with both
        # products, which for these few rows of many columns takes twice as long as one after the other.
        weights = paddle.exp(found - found.max(-1, keepdim=True))
        seen = _times(weights, v) / weights.sum(-1, keepdim=True)  # N, heads * T, C
        own = self.v_proj(seen).reshape([-1, self.heads, q.shape[1], self.inner]) * self.of_head
        return self.out_proj(own.sum(1))

    def to_tokens(self, q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
        """Queries of the image (1 or N, L, C), keys and values of tokens (N, T, C), to (N, L, C)."""
        tokens, length = k.shape[1], q.shape[1]
        keys = self._by_head(self.k_proj(k) * self.scale)  # N, heads * T, D
        asked = paddle.matmul(keys, self.q_proj.weight, transpose_y=True)
        found = _times(asked, q, transpose=True) + (keys * self.q_proj.bias).sum(-1, keepdim=True)
        weights = F.softmax(found.reshape([-1, self.heads, tokens, length]), axis=2)
        weights = weights.reshape([-1, self.heads * tokens, length])
        # The weights of a head add up to 1, so that each may bring its share of the bias.
        told = paddle.matmul(self._by_head(self.v_proj(v)), self.out_proj.weight) + self.out_proj.bias / self.heads
        return paddle.matmul(weights, told, transpose_x=True)

    def _by_head(self, x: paddle.Tensor) -> paddle.Tensor:
        """(N, T, D) to (N, heads * T, D)."""
        return (x.unsqueeze(1) * self.of_head).reshape([-1, self.heads * x.shape[1], self.inner])


def _times(a: paddle.Tensor, b: paddle.Tensor, transpose: bool = False) -> paddle.Tensor:
    """Matrices (N, K, D) times one for all of them, or one for each."""
    if not (isinstance(b.shape[0], int) and b.shape[0] == 1):  # while a graph is traced, a number unknown yet
        return paddle.matmul(a, b, transpose_y=transpose)
    product = paddle.matmul(a.reshape([1, -1, a.shape[2]]), b, transpose_y=transpose)
    return product.reshape([-1, a.shape[1], product.shape[2]])


class TokenMLP(nn.Layer):
    """The feed-forward step of a block; named `lin1`, `lin2` in the checkpoint."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.lin2(F.relu(self.lin1(x)))


class TwoWayBlock(nn.Layer):
    """Tokens among themselves, tokens to image, MLP, image to tokens; a norm after each.

    The first block's self-attention has no position encoding and no residual, because its queries are the
    position encoding itself (`is_first`).
    """

    def __init__(self, channels: int, heads: int, mlp_hidden: int, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.self_attn = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, heads, downsample_rate=2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = TokenMLP(channels, mlp_hidden)
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, heads, downsample_rate=2)

    def forward(
        self, tokens: paddle.Tensor, image: paddle.Tensor, token_pe: paddle.Tensor, image_pe: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        if self.is_first:
            tokens = self.self_attn.of_tokens(tokens, tokens, tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn.of_tokens(placed, placed, tokens)
        tokens = self.norm1(tokens)
        placed_image = image + image_pe
        seen = self.cross_attn_token_to_image.of_tokens(tokens + token_pe, placed_image, image)
        tokens = self.norm2(tokens + seen)
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = self.cross_attn_image_to_token.to_tokens(placed_image, tokens + token_pe, tokens)
        image = self.norm4(image + told)
        return tokens, image


class TwoWayTransformer(nn.Layer):
    """Two blocks and a last look of the tokens at the image, (1 or N, L, C): to tokens (N, T, C), image (N, L, C)."""

    def __init__(self, channels: int = 256, depth: int = 2, heads: int = 8, mlp_hidden: int = 2048) -> None:
        super().__init__()
        self.layers = nn.LayerList([TwoWayBlock(channels, heads, mlp_hidden, is_first=i == 0) for i in range(depth)])
        self.final_attn_token_to_image = Attention(channels, heads, downsample_rate=2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(
        self, image: paddle.Tensor, image_pe: paddle.Tensor, token_pe: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        tokens = token_pe
        for block in self.layers:
            tokens, image = block(tokens, image, token_pe, image_pe)
        last_look = self.final_attn_token_to_image.of_tokens(tokens + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + last_look), image

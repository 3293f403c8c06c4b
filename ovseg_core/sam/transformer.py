"""The two-way transformer of SAM's mask decoder (Kirillov et al. 2023, appendix A).

Tokens (the questions) and image features (the place to look) attend to each other in turn. N prompts, T tokens, L = h*w
image positions, C channels. Until tokens have told it anything, the image is the same for all prompts: (1, L, C) serves
the N of them, and what is computed of it is computed once.
"""

from __future__ import annotations

import paddle
from paddle import nn
from paddle.nn import functional as F


class Attention(nn.Layer):
    """Multi-head attention whose inner width may be smaller than C (`downsample_rate`)."""

    def __init__(self, channels: int, heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        inner = channels // downsample_rate
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(
        self, q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor, prompts: paddle.Tensor | int | None = None
    ) -> paddle.Tensor:
        """`prompts` says how many of them share what is given once: where that number is not known yet, Paddle takes
        the product of 1 and N for 1."""
        q, k, v = self._split(self.q_proj(q)), self._split(self.k_proj(k)), self._split(self.v_proj(v))
        if prompts is not None:
            shape = [-1, prompts, -1, -1]
            q, k, v = q.expand(shape), k.expand(shape), v.expand(shape)
        weights = F.softmax(paddle.matmul(q, k, transpose_y=True) * q.shape[-1] ** -0.5, axis=-1)
        attended = paddle.matmul(weights, v)  # heads, N, T, inner/heads
        heads, n, length, width = attended.shape
        together = attended.reshape([heads, n * length, width]).transpose([1, 0, 2])
        return self.out_proj(together.reshape([n, length, heads * width]))

    def _split(self, x: paddle.Tensor) -> paddle.Tensor:
        """(N, T, inner) to (heads, N, T, inner/heads); Paddle's CPU transpose of three axes halves a decode."""
        n, length, inner = x.shape
        heads_first = x.reshape([n * length, self.heads, inner // self.heads]).transpose([1, 0, 2])
        return heads_first.reshape([self.heads, n, length, inner // self.heads])


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
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        placed_image = image + image_pe
        prompts = tokens.shape[0] if self.is_first else None
        seen = self.cross_attn_token_to_image(tokens + token_pe, placed_image, image, prompts)
        tokens = self.norm2(tokens + seen)
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = self.cross_attn_image_to_token(placed_image, tokens + token_pe, tokens, prompts)
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
        last_look = self.final_attn_token_to_image(tokens + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + last_look), image

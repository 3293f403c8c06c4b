"""The two-way transformer of SAM's mask decoder (Kirillov et al. 2023, appendix A).

Tokens of the prompts and features of the image attend to each other in turn. N prompts, T tokens, L = h*w image
positions, C channels. Before the image has attended to any tokens, it is the same for all prompts: its shape is then
(1, L, C), and what depends on it alone is computed once for the N prompts.
"""

from __future__ import annotations

import numpy as np

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle


class Attention(nn.Layer):
    """Multi-head attention whose inner width D is C / `downsample_rate`.

    There are few tokens and many image positions, so the image is neither projected nor rearranged:

    - What is computed from tokens is repeated for each head, with zeros in the channels of the other heads. A product
      with it is then the product of one head.
    - A projection of the image is moved to the other factor of the product: q (x W) = (q W) x.
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
        # 1 in the channels of each head, and 0 in the others
        mask = np.kron(np.eye(heads, dtype=np.float32), np.ones(inner // heads, np.float32))
        self.register_buffer("head_channels", paddle.to_tensor(mask.reshape(1, heads, 1, inner)), persistable=False)

    def tokens_attend(self, q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
        """Queries from tokens (N, T, C), keys and values from tokens or the image (1 or N, L, C), to (N, T, C)."""
        queries = paddle.matmul(self._by_head(self.q_proj(q) * self.scale), self.k_proj.weight, transpose_y=True)
        # The bias of the keys is left out: it would add the same to all scores of a query, which softmax cancels.
        scores = times(queries, k, transpose=True)
        # This is softmax with its division moved to the end, where there are fewer values to divide. Also, OpenVINO
        # would fuse a complete softmax with both products. That takes twice as long for these few rows of many columns.
        weights = paddle.exp(scores - scores.max(-1, keepdim=True))
        attended = times(weights, v) / weights.sum(-1, keepdim=True)  # N, heads * T, C
        values = self.v_proj(attended).reshape([-1, self.heads, q.shape[1], self.inner]) * self.head_channels
        return self.out_proj(values.sum(1))

    def image_attends(self, q: paddle.Tensor, k: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
        """Queries from the image (1 or N, L, C), keys and values from tokens (N, T, C), to (N, L, C)."""
        tokens, length = k.shape[1], q.shape[1]
        keys = self._by_head(self.k_proj(k) * self.scale)  # N, heads * T, D
        projected = paddle.matmul(keys, self.q_proj.weight, transpose_y=True)
        scores = times(projected, q, transpose=True) + (keys * self.q_proj.bias).sum(-1, keepdim=True)
        weights = F.softmax(scores.reshape([-1, self.heads, tokens, length]), axis=2)
        weights = weights.reshape([-1, self.heads * tokens, length])
        # The weights of each head add up to 1, so each head adds 1 / heads of the output's bias.
        values = paddle.matmul(self._by_head(self.v_proj(v)), self.out_proj.weight) + self.out_proj.bias / self.heads
        return paddle.matmul(weights, values, transpose_x=True)

    def _by_head(self, x: paddle.Tensor) -> paddle.Tensor:
        """(N, T, D) to (N, heads * T, D): a copy for each head, with zeros in the channels of the other heads."""
        return (x.unsqueeze(1) * self.head_channels).reshape([-1, self.heads * x.shape[1], self.inner])


def times(a: paddle.Tensor, b: paddle.Tensor, transpose: bool = False) -> paddle.Tensor:
    """Multiply N matrices (N, K, D) by one matrix for all of them (1, ...), or by one for each (N, ...)."""
    if not (isinstance(b.shape[0], int) and b.shape[0] == 1):  # not an int while a graph is traced
        return paddle.matmul(a, b, transpose_y=transpose)
    product = paddle.matmul(a.reshape([1, -1, a.shape[2]]), b, transpose_y=transpose)
    return product.reshape([-1, a.shape[1], product.shape[2]])


class TokenMLP(nn.Layer):
    """The feed-forward step of a block. Its layers are named `lin1` and `lin2` in the checkpoint."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.lin2(F.relu(self.lin1(x)))


class TwoWayBlock(nn.Layer):
    """Tokens attend to tokens, tokens attend to the image, MLP, the image attends to tokens; a norm after each step.

    In the first block (`is_first`), self-attention has no position encoding and no residual, because its queries are
    the position encoding itself.
    """

    def __init__(self, channels: int, heads: int, mlp_hidden: int, is_first: bool, epsilon: float) -> None:
        super().__init__()
        self.is_first = is_first
        self.self_attn = Attention(channels, heads)
        self.norm1 = nn.LayerNorm(channels, epsilon)
        self.cross_attn_token_to_image = Attention(channels, heads, downsample_rate=2)
        self.norm2 = nn.LayerNorm(channels, epsilon)
        self.mlp = TokenMLP(channels, mlp_hidden)
        self.norm3 = nn.LayerNorm(channels, epsilon)
        self.norm4 = nn.LayerNorm(channels, epsilon)
        self.cross_attn_image_to_token = Attention(channels, heads, downsample_rate=2)

    def forward(
        self, tokens: paddle.Tensor, image: paddle.Tensor, token_pe: paddle.Tensor, image_pe: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        if self.is_first:
            tokens = self.self_attn.tokens_attend(tokens, tokens, tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn.tokens_attend(placed, placed, tokens)
        tokens = self.norm1(tokens)
        placed_image = image + image_pe
        from_image = self.cross_attn_token_to_image.tokens_attend(tokens + token_pe, placed_image, image)
        tokens = self.norm2(tokens + from_image)
        tokens = self.norm3(tokens + self.mlp(tokens))
        from_tokens = self.cross_attn_image_to_token.image_attends(placed_image, tokens + token_pe, tokens)
        image = self.norm4(image + from_tokens)
        return tokens, image


class TwoWayTransformer(nn.Layer):
    """Two blocks, after which the tokens attend to the image once more.

    From an image (1 or N, L, C) and tokens (N, T, C) to tokens (N, T, C) and an image (N, L, C).
    """

    def __init__(
        self, channels: int = 256, depth: int = 2, heads: int = 8, mlp_hidden: int = 2048, epsilon: float = 1e-5
    ) -> None:
        """`epsilon` is that of the norms."""
        super().__init__()
        self.layers = nn.LayerList(
            [TwoWayBlock(channels, heads, mlp_hidden, is_first=i == 0, epsilon=epsilon) for i in range(depth)]
        )
        self.final_attn_token_to_image = Attention(channels, heads, downsample_rate=2)
        self.norm_final_attn = nn.LayerNorm(channels, epsilon)

    def forward(
        self, image: paddle.Tensor, image_pe: paddle.Tensor, token_pe: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        tokens = token_pe
        for block in self.layers:
            tokens, image = block(tokens, image, token_pe, image_pe)
        from_image = self.final_attn_token_to_image.tokens_attend(tokens + token_pe, image + image_pe, image)
        return self.norm_final_attn(tokens + from_image), image

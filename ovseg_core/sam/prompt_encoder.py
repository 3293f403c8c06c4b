"""SAM's prompt encoder: sparse tokens for points and boxes, a dense map for a mask input."""

from __future__ import annotations

import math

from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.layers import LayerNorm2d
from ovseg_core.sam.points import NOT_A_POINT


class RandomPositionEncoding(nn.Layer):
    """Fourier features of positions, with a fixed random matrix (Tancik et al. 2020)."""

    def __init__(self, half_channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", paddle.randn([2, half_channels]))

    def forward(self, xy: paddle.Tensor) -> paddle.Tensor:
        """Positions `xy` (..., 2) from 0 to 1 to features (..., C)."""
        angle = (2 * xy - 1) @ self.positional_encoding_gaussian_matrix * (2 * math.pi)
        return paddle.concat([angle.sin(), angle.cos()], axis=-1)


class PromptEncoder(nn.Layer):
    """Encodes points, boxes and mask inputs to embeddings with C = `channels` channels.

    `grid_hw` is the size (h, w) of the image embedding, `canvas_hw` the size of the network's input in pixels. All
    coordinates are in canvas pixels.
    """

    def __init__(
        self, channels: int, grid_hw: tuple[int, int], canvas_hw: tuple[int, int], mask_channels: int = 16
    ) -> None:
        super().__init__()
        self.grid_hw = grid_hw
        self.canvas_hw = canvas_hw
        self.pe_layer = RandomPositionEncoding(channels // 2)
        self.point_embeddings = nn.LayerList([nn.Embedding(1, channels) for _ in range(4)])
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.no_mask_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2D(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2D(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2D(mask_channels, channels, kernel_size=1),
        )

    def sparse(self, xy: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Points (N, T, 2) in canvas pixels and their `labels` (N, T) to tokens (N, T, C)."""
        h, w = self.canvas_hw
        # + 0.5: SAM considers a coordinate the index of a pixel, and moves it to the centre of the pixel
        encoding = self.pe_layer((xy + 0.5) / paddle.to_tensor([w, h], dtype=xy.dtype))
        labels = labels.unsqueeze(-1)
        tokens = paddle.where(labels == NOT_A_POINT, self.not_a_point_embed.weight, encoding)
        for label, embedding in enumerate(self.point_embeddings):
            tokens = tokens + (labels == label).astype(encoding.dtype) * embedding.weight
        return tokens

    def dense(self, masks: paddle.Tensor) -> paddle.Tensor:
        """Low-res logits (N, 1, 4h, 4w) to a dense embedding (N, h, w, C)."""
        return self.mask_downscaling(masks).transpose([0, 2, 3, 1])

    def no_dense(self) -> paddle.Tensor:
        """Return the embedding of "no mask input", the same for every prompt: (1, 1, 1, C)."""
        return self.no_mask_embed.weight.reshape([1, 1, 1, -1])

    def dense_pe(self) -> paddle.Tensor:
        """Return the position encoding of the image embedding's grid: (1, h, w, C)."""
        h, w = self.grid_hw
        y = (paddle.arange(h, dtype="float32") + 0.5) / h
        x = (paddle.arange(w, dtype="float32") + 0.5) / w
        grid = paddle.stack([x.unsqueeze(0).expand([h, w]), y.unsqueeze(1).expand([h, w])], axis=-1)
        return self.pe_layer(grid).unsqueeze(0)

"""From the image embedding and prompt embeddings to mask logits and predicted IoU (Kirillov et al. 2023, figure 14)."""

from __future__ import annotations

from ovseg_core.mlp import MLP
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.layers import Doubling, LayerNorm2d
from ovseg_core.sam.transformer import TwoWayTransformer


class MaskDecoder(nn.Layer):
    """Decodes up to four masks for each prompt: mask 0 for a clear prompt, masks 1 to 3 for an ambiguous one."""

    def __init__(self, channels: int = 256, candidates: int = 3, norm_epsilon: float = 1e-5) -> None:
        """`norm_epsilon` is that of the transformer's norms."""
        super().__init__()
        masks = candidates + 1
        self.transformer = TwoWayTransformer(channels, epsilon=norm_epsilon)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(masks, channels)
        self.output_upscaling = nn.Sequential(
            Doubling(channels, channels // 4),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            Doubling(channels // 4, channels // 8),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.LayerList([MLP(channels, channels, channels // 8, 3) for _ in range(masks)])
        self.iou_prediction_head = MLP(channels, channels, masks, 3)

    def forward(
        self,
        image: paddle.Tensor,  # 1 or N, h, w, C: the image embedding plus the embedding of each prompt's mask input
        image_pe: paddle.Tensor,  # 1, h, w, C
        sparse: paddle.Tensor,  # N, T, C
        mask_indices: paddle.Tensor,  # M int64, from 0 to 3: which masks to decode
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits (N, M, 4h, 4w) and predicted IoU (N, M)."""
        _, h, w, _ = image.shape
        tokens, features = self.attended(image, image_pe, sparse)
        logits, iou = self.masks(tokens, self.upscaled(features), mask_indices)
        return cells_as_map(logits, h, w), iou

    def output_tokens(self) -> paddle.Tensor:
        """Return the tokens (T', C) that come before those of the prompts: one for the IoU, and one for each mask."""
        return paddle.concat([self.iou_token.weight, self.mask_tokens.weight])

    def attended(
        self, image: paddle.Tensor, image_pe: paddle.Tensor, sparse: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Let tokens and image attend to each other; see `forward` for the arguments.

        Return the tokens (N, T' + T, C) and the features of the image (N, h*w, C).
        """
        output_tokens = self.output_tokens().unsqueeze(0).expand([sparse.shape[0], -1, -1])
        tokens = paddle.concat([output_tokens, sparse], axis=1)
        return self.transformer(image.flatten(1, 2), image_pe.flatten(1, 2), tokens)

    def masks(
        self, tokens: paddle.Tensor, upscaled: paddle.Tensor, mask_indices: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits (N, M, 16 * h * w) of the cells of `upscaled`, and predicted IoU (N, M)."""
        weights = paddle.stack(
            [mlp(tokens[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], axis=1
        )  # N, 4, C/8
        weights = paddle.gather(weights, mask_indices, axis=1)  # N, M, C/8
        iou = paddle.gather(self.iou_prediction_head(tokens[:, 0]), mask_indices, axis=1)
        return paddle.matmul(weights, upscaled, transpose_y=True), iou

    def upscaled(self, features: paddle.Tensor) -> paddle.Tensor:
        """(N, L, C) to (N, 16 * L, C/8).

        Each position becomes 16 cells. Channels stay last, and the cells of a position stay together: moving them into
        rows is cheaper after the channels have been reduced to masks, in `cells_as_map`.
        """
        double, norm, gelu, double_again, gelu_again = self.output_upscaling
        return gelu_again(double_again(gelu(norm.over_last(double(features)))))


def cells_as_map(cells: paddle.Tensor, h: int, w: int) -> paddle.Tensor:
    """(N, M, h * w * 16) to (N, M, 4h, 4w). The 16 cells of a position are the four quarters of its four quarters."""
    masks = cells.shape[1]
    parts = cells.reshape([-1, h, w, 2, 2, 2, 2])
    return parts.transpose([0, 1, 3, 5, 2, 4, 6]).reshape([-1, masks, 4 * h, 4 * w])

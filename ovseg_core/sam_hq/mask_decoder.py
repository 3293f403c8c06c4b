"""SAM's mask decoder with a further output token, whose mask is added to SAM's masks (Ke et al., 2023, figure 2)."""

from __future__ import annotations

from ovseg_core.mlp import MLP
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.layers import Doubling, LayerNorm2d, as_rows
from ovseg_core.sam.mask_decoder import MaskDecoder, cells_as_map
from ovseg_core.sam.transformer import times


class HqMaskDecoder(MaskDecoder):
    """SAM's decoder with the HQ token. Its mask also depends on the HQ features, which are the same for all prompts.

    The checkpoints call the token and its layers `hf_...`.
    """

    def __init__(self, early_channels: int, channels: int = 256) -> None:
        super().__init__(channels)
        self.hf_token = nn.Embedding(1, channels)
        self.hf_mlp = MLP(channels, channels, channels // 8, 3)
        self.compress_vit_feat = _four_times_larger(early_channels, channels, channels // 8)
        self.embedding_encoder = _four_times_larger(channels, channels // 4, channels // 8)
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2D(channels // 8, channels // 4, 3, padding=1),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.Conv2D(channels // 4, channels // 8, 3, padding=1),
        )

    def output_tokens(self) -> paddle.Tensor:
        """Return SAM's tokens, followed by the HQ token."""
        return paddle.concat([super().output_tokens(), self.hf_token.weight])

    def hq_features(self, embedding: paddle.Tensor, early: paddle.Tensor) -> paddle.Tensor:
        """Fuse the image embedding (B, h, w, C) and the encoder's early features (B, h*w, C'): (B, 4h, 4w, C/8)."""
        _, h, w, _ = embedding.shape
        cells = _enlarged(self.embedding_encoder, embedding.flatten(1, 2))
        cells = cells + _enlarged(self.compress_vit_feat, early)
        return _cells_as_image(cells, h, w)

    def hq_masks(
        self,
        image: paddle.Tensor,
        image_pe: paddle.Tensor,
        sparse: paddle.Tensor,
        mask_indices: paddle.Tensor,
        hq_features: paddle.Tensor,  # 1 or N, 4h, 4w, C/8
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits (N, M, 4h, 4w), the sum of SAM's masks and the HQ mask, and SAM's predicted IoU (N, M).

        The other arguments are those of `MaskDecoder.forward`.
        """
        _, h, w, _ = image.shape
        tokens, features = self.attended(image, image_pe, sparse)
        cells = self.upscaled(features)
        logits, iou = self.masks(tokens, cells, mask_indices)
        hq_weights = self.hf_mlp(tokens[:, self.output_tokens().shape[0] - 1])  # N, C/8
        detail = self._detail(_cells_as_image(cells, h, w), hq_weights)
        of_image = times(hq_weights.unsqueeze(1), hq_features.flatten(1, 2), transpose=True)  # N, 1, 16 * h * w
        return cells_as_map(logits, h, w) + detail + of_image.reshape([-1, 1, 4 * h, 4 * w]), iou

    def _detail(self, upscaled: paddle.Tensor, weights: paddle.Tensor) -> paddle.Tensor:
        """Return the HQ mask of an image (N, 4h, 4w, C/8) with the prompts' weights (N, C/8), without the HQ features.

        This is `embedding_maskfeature`, multiplied by the weights. Its last convolution is linear, so the weights are
        multiplied into its kernel: each prompt then has one output channel instead of C/8, which saves nearly half of
        the work. The nine taps of the kernel are products of one matrix, added with a shift.
        """
        widen, norm, gelu, last = self.embedding_maskfeature
        rows = gelu(norm.over_last(as_rows(widen(upscaled.transpose([0, 3, 1, 2])))))  # N, 16 * h * w, C/4
        side = last.weight.shape[-1]
        kernels = paddle.matmul(weights, last.weight.flatten(1)).reshape([-1, last.weight.shape[1], side * side])
        taps = paddle.matmul(kernels, rows, transpose_x=True, transpose_y=True)  # N, 9, 16 * h * w
        _, height, width, _ = upscaled.shape
        taps = F.pad(taps.reshape([-1, side * side, height, width]), [0, 0, 0, 0, 1, 1, 1, 1])
        shifted = [
            taps[:, side * dy + dx, dy : dy + height, dx : dx + width] for dy in range(side) for dx in range(side)
        ]
        bias = (weights * last.bias).sum(-1).reshape([-1, 1, 1, 1])
        return sum(shifted[1:], shifted[0]).unsqueeze(1) + bias


def _cells_as_image(cells: paddle.Tensor, h: int, w: int) -> paddle.Tensor:
    """(N, 16 * h * w, C') to (N, 4h, 4w, C'); see `cells_as_map`. Channels stay together, which is cheaper to move."""
    channels = cells.shape[-1]
    parts = cells.reshape([-1, h, w, 2, 2, 2, 2 * channels])
    return parts.transpose([0, 1, 3, 5, 2, 4, 6]).reshape([-1, 4 * h, 4 * w, channels])


def _four_times_larger(channels: int, hidden: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(Doubling(channels, hidden), LayerNorm2d(hidden), nn.GELU(), Doubling(hidden, out_channels))


def _enlarged(layers: nn.Sequential, rows: paddle.Tensor) -> paddle.Tensor:
    """Apply `_four_times_larger` to (B, L, C): (B, 16 * L, C'), the cells of a position together."""
    double, norm, gelu, double_again = layers
    return double_again(gelu(norm.over_last(double(rows))))

"""SAM 2's mask decoder: SAM's, with one more token and two maps that are added while the features are upscaled."""

from __future__ import annotations

from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam import mask_decoder
from ovseg_core.sam.mask_decoder import cells_as_map


class MaskDecoder(mask_decoder.MaskDecoder):
    """Decodes up to four masks for each prompt; see `sam.mask_decoder.MaskDecoder`."""

    def __init__(self, channels: int = 256, candidates: int = 3) -> None:
        super().__init__(channels, candidates)
        self.obj_score_token = nn.Embedding(1, channels)

    def output_tokens(self) -> paddle.Tensor:
        """Return SAM's tokens and the object token, which predicts whether the object is visible in a frame of a video.

        For an image its result is not used, but the other tokens attend to it. Attention does not depend on the order
        of tokens, so it may come last.
        """
        return paddle.concat([super().output_tokens(), self.obj_score_token.weight])

    def forward(
        self,
        image: paddle.Tensor,
        image_pe: paddle.Tensor,
        sparse: paddle.Tensor,
        mask_indices: paddle.Tensor,
        *skips: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits (N, M, 4h, 4w) and predicted IoU (N, M), from 0 to 1.

        `skips` are the maps of higher resolution, (1 or N, h, w, 4, C/4) and (1 or N, h, w, 16, C/8).
        """
        _, h, w, _ = image.shape
        tokens, features = self.attended(image, image_pe, sparse)
        logits, iou = self.masks(tokens, self.upscaled(features, *skips), mask_indices)
        return cells_as_map(logits, h, w), F.sigmoid(iou)

    def upscaled(self, features: paddle.Tensor, *skips: paddle.Tensor) -> paddle.Tensor:
        double, norm, gelu, double_again, gelu_again = self.output_upscaling
        quarters, sixteenths = [skip.flatten(1, 3) for skip in skips]
        quarters = gelu(norm.over_last(double(features) + quarters))
        return gelu_again(double_again(quarters) + sixteenths)

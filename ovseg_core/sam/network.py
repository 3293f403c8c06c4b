"""SAM as one network: three parts that can run apart, so that an image is encoded once and asked many times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import paddle
from paddle import nn

from ovseg_core.candidates import Candidates
from ovseg_core.sam.mask_decoder import MaskDecoder
from ovseg_core.sam.prompt_encoder import PromptEncoder
from ovseg_core.sam.tiny_vit import TinyViT
from ovseg_core.sam.vit import PATCH, VisionTransformer

CANVAS = 1024


class Sam(nn.Layer):
    def __init__(self, image_encoder: nn.Layer, canvas_size: int = CANVAS) -> None:
        super().__init__()
        grid = canvas_size // PATCH
        self.canvas_size = canvas_size
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder(256, (grid, grid), (canvas_size, canvas_size))
        self.mask_decoder = MaskDecoder(256)

    @paddle.no_grad()
    def encode(self, canvas: np.ndarray) -> tuple[np.ndarray, ...]:
        """A normalised canvas (1, 3, S, S) float32 to its embedding (256, S/16, S/16) float32."""
        return (self.image_encoder(paddle.to_tensor(canvas))[0].numpy(),)

    @paddle.no_grad()
    def decode(
        self,
        features: tuple[np.ndarray, ...],
        boxes: np.ndarray | None,  # N, 4 canvas pixels
        points: np.ndarray | None,  # N, P, 2 canvas pixels
        labels: np.ndarray | None,  # N, P: 1 on the object, 0 not
        every: bool = False,
    ) -> Candidates:
        """Three candidates for a single click, which is ambiguous, whether `every` one was asked for or the best: they
        cost the same. One for every other prompt."""
        logits, iou = self._masks(features[0], boxes, points, labels)
        is_ambiguous = boxes is None and points is not None and points.shape[1] == 1
        kept = slice(1, None) if is_ambiguous else slice(0, 1)
        logits, iou = logits[:, kept].numpy(), iou[:, kept].numpy()
        canvas = np.array([0, 0, self.canvas_size, self.canvas_size], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)

    def _masks(
        self, embedding: np.ndarray, boxes: np.ndarray | None, points: np.ndarray | None, labels: np.ndarray | None
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Logits (N, 4, S/4, S/4) and predicted IoU (N, 4)."""
        sparse = self.prompt_encoder.sparse(
            *(None if x is None else paddle.to_tensor(x) for x in (boxes, points, labels))
        )
        count = sparse.shape[0]
        image = paddle.to_tensor(embedding).unsqueeze(0).expand([count, -1, -1, -1])
        dense = self.prompt_encoder.no_dense(count)
        return self.mask_decoder(image, self.prompt_encoder.dense_pe(), sparse, dense)


VARIANTS: dict[str, Callable[[], Sam]] = {
    "mobile_sam": lambda: Sam(TinyViT((64, 128, 160, 320), (2, 2, 6, 2), heads=(4, 5, 10), window_sides=(7, 14, 7))),
    "sam_b": lambda: Sam(VisionTransformer(768, depth=12, heads=12, whole_grid=(2, 5, 8, 11))),
    "sam_l": lambda: Sam(VisionTransformer(1024, depth=24, heads=16, whole_grid=(5, 11, 17, 23))),
    "sam_h": lambda: Sam(VisionTransformer(1280, depth=32, heads=16, whole_grid=(7, 15, 23, 31))),
}

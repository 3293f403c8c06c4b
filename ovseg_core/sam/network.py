"""SAM as one network: three parts that can run apart, so that an image is encoded once and asked many times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from ovseg_core import checkpoints
from ovseg_core.candidates import Candidates
from ovseg_core.networks import Asked, Features
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
    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Normalised canvases (B, 3, S, S) float32 to the embedding of each, (256, S/16, S/16) float32."""
        dtype = self.image_encoder.parameters()[0].dtype  # half precision, where it was asked for
        embeddings = self.image_encoder(paddle.to_tensor(canvases).astype(dtype)).astype("float32").numpy()
        return [(embedding,) for embedding in embeddings]

    @paddle.no_grad()
    def decode(self, features: Features, asked: Asked, every: bool = False) -> Candidates:
        """Three candidates for a single click, which is ambiguous, whether `every` one was asked for or the best: they
        cost the same. One for every other prompt."""
        logits, iou = self._masks(features[0], asked)
        is_ambiguous = asked.boxes is None and asked.points is not None and asked.points.shape[1] == 1
        kept = slice(1, None) if is_ambiguous else slice(0, 1)
        logits, iou = logits[:, kept].numpy(), iou[:, kept].numpy()
        canvas = np.array([0, 0, self.canvas_size, self.canvas_size], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)

    def _masks(self, embedding: np.ndarray, asked: Asked) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Logits (N, 4, S/4, S/4) and predicted IoU (N, 4)."""
        boxes, points, labels, mask_inputs = (None if x is None else paddle.to_tensor(x) for x in asked)
        sparse = self.prompt_encoder.sparse(boxes, points, labels)
        return self.decoded(paddle.to_tensor(embedding).unsqueeze(0), sparse, mask_inputs)

    def decoded(
        self,
        embedding: paddle.Tensor,  # 1, 256, S/16, S/16
        sparse: paddle.Tensor,  # N, T, 256
        mask_inputs: paddle.Tensor | None,  # N, S/4, S/4
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """As `_masks`."""
        count = sparse.shape[0]
        if mask_inputs is None:
            dense = self.prompt_encoder.no_dense(count)
        else:
            dense = self.prompt_encoder.dense(mask_inputs.unsqueeze(1))
        image = embedding.expand([count, -1, -1, -1])
        return self.mask_decoder(image, self.prompt_encoder.dense_pe(), sparse, dense)


VARIANTS: dict[str, Callable[[], Sam]] = {
    "mobile_sam": lambda: Sam(TinyViT((64, 128, 160, 320), (2, 2, 6, 2), heads=(4, 5, 10), window_sides=(7, 14, 7))),
    "sam_b": lambda: Sam(VisionTransformer(768, depth=12, heads=12, whole_grid=(2, 5, 8, 11))),
    "sam_l": lambda: Sam(VisionTransformer(1024, depth=24, heads=16, whole_grid=(5, 11, 17, 23))),
    "sam_h": lambda: Sam(VisionTransformer(1280, depth=32, heads=16, whole_grid=(7, 15, 23, 31))),
}


def load(variant: str, weights: Path, precision: str = "float32") -> Sam:
    """A variant with its weights on Paddle's current device, its image encoder in this precision, ready to infer.

    Raises ValueError where the weights do not fit.
    """
    sam = VARIANTS[variant]()
    sam.eval()
    checkpoints.load(sam, weights)
    sam.image_encoder.to(dtype=precision)
    return sam

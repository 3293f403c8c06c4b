"""SAM's layers in Paddle, and the parts of it that run apart: an image is encoded once, and prompts are decoded from
its embedding."""

from __future__ import annotations

from collections.abc import Callable

from ovseg_core.engines.parts import Shape
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.mask_decoder import MaskDecoder
from ovseg_core.sam.prompt_encoder import PromptEncoder
from ovseg_core.sam.tiny_vit import TinyViT
from ovseg_core.sam.vit import PATCH, VisionTransformer

CANVAS = 1024
CHANNELS = 256  # of an embedding


class SamParts(nn.Layer):
    """N prompts, each of T points: clicks, and a box as its two corners."""

    def __init__(self, image_encoder: nn.Layer, canvas_size: int = CANVAS) -> None:
        super().__init__()
        grid = canvas_size // PATCH
        self.canvas_size = canvas_size
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder(CHANNELS, (grid, grid), (canvas_size, canvas_size))
        self.mask_decoder = MaskDecoder(CHANNELS)

    def shapes(self) -> dict[str, tuple[Shape, ...]]:
        side, grid, low = self.canvas_size, self.canvas_size // PATCH, self.canvas_size // 4
        prompts: tuple[Shape, ...] = ((None, None, CHANNELS), (None,))
        embedding: Shape = (grid, grid, CHANNELS)
        return {
            "encode": ((None, 3, side, side),),
            "prompts": ((None, None, 2), (None, None)),
            "decode": ((1, *embedding), *prompts),
            "decode_several": ((None, *embedding), *prompts, (None,)),
            "refine": ((1, *embedding), *prompts, (None, low, low)),
        }

    def encode(self, canvases: paddle.Tensor) -> paddle.Tensor:
        """Normalised canvases (B, 3, S, S) to embeddings (B, S/16, S/16, 256) float32, whatever the encoder's type.

        Channels last, as the decoder wants them for each prompt anew.
        """
        dtype = self.image_encoder.parameters()[0].dtype
        return self.image_encoder(canvases.astype(dtype)).astype("float32").transpose([0, 2, 3, 1])

    def prompts(self, xy: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Points (N, T, 2) in canvas pixels and their labels (N, T) as `prompt_encoder` numbers them, to tokens
        (N, T, 256).

        A part of its own, to be run in float32: half precision would move a point by up to a pixel.
        """
        return self.prompt_encoder.sparse(xy, labels)

    def decode(
        self, embedding: paddle.Tensor, tokens: paddle.Tensor, wanted: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """An embedding (1, S/16, S/16, 256) and `tokens` of prompts (N, T, 256) to logits (N, M, S/4, S/4) and
        predicted IoU (N, M) of the masks that are `wanted` (M,), from 0 to 3."""
        return self._masks(embedding + self.prompt_encoder.no_dense(), tokens, wanted)

    def decode_several(
        self, embeddings: paddle.Tensor, tokens: paddle.Tensor, wanted: paddle.Tensor, image_of: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """As `decode`, of several images (I, S/16, S/16, 256): `image_of` (N,) says whose each prompt is, from 0."""
        image = paddle.gather(embeddings + self.prompt_encoder.no_dense(), image_of.astype("int64"))
        return self._masks(image, tokens, wanted)

    def refine(
        self, embedding: paddle.Tensor, tokens: paddle.Tensor, wanted: paddle.Tensor, mask_inputs: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """As `decode`, with logits answered before (N, S/4, S/4)."""
        return self._masks(embedding + self.prompt_encoder.dense(mask_inputs.unsqueeze(1)), tokens, wanted)

    def _masks(
        self, image: paddle.Tensor, tokens: paddle.Tensor, wanted: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        return self.mask_decoder(image, self.prompt_encoder.dense_pe(), tokens, wanted.astype("int64"))


VARIANTS: dict[str, Callable[[], SamParts]] = {
    "mobile_sam": lambda: SamParts(TinyViT((64, 128, 160, 320), (2, 2, 6, 2), (4, 5, 10), window_sides=(7, 14, 7))),
    "sam_b": lambda: SamParts(VisionTransformer(768, depth=12, heads=12, whole_grid=(2, 5, 8, 11))),
    "sam_l": lambda: SamParts(VisionTransformer(1024, depth=24, heads=16, whole_grid=(5, 11, 17, 23))),
    "sam_h": lambda: SamParts(VisionTransformer(1280, depth=32, heads=16, whole_grid=(7, 15, 23, 31))),
}

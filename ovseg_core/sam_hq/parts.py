"""SAM-HQ's layers in Paddle, and the parts of the network that run separately. They have the names of SAM's parts."""

from __future__ import annotations

from collections.abc import Callable

from ovseg_core.quiet_paddle import paddle
from ovseg_core.sam import image_encoders
from ovseg_core.sam.layers import as_rows
from ovseg_core.sam.parts import SamLayers
from ovseg_core.sam.shape import CANVAS, CHANNELS
from ovseg_core.sam.tiny_vit import TinyViT
from ovseg_core.sam.vit import VisionTransformer
from ovseg_core.sam_hq.mask_decoder import HqMaskDecoder


class SamHqParts(SamLayers):
    """SAM-HQ in parts. An image has two arrays of features: SAM's image embedding, and the HQ features.

    Both are computed once for each image, so that a prompt costs only what depends on it.
    """

    def __init__(self, image_encoder: VisionTransformer | TinyViT, canvas_size: int = CANVAS) -> None:
        hq_features = (canvas_size // 4, canvas_size // 4, CHANNELS // 8)
        decoder = HqMaskDecoder(image_encoder.early_channels, CHANNELS)
        super().__init__(image_encoder, decoder, canvas_size, maps=[hq_features])

    def encode(self, canvases: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Canvases (B, 3, S, S) to embeddings (B, S/16, S/16, 256) and HQ features (B, S/4, S/4, 32).

        Both are float32 for any precision of the encoder.
        """
        dtype = self.image_encoder.parameters()[0].dtype
        early = self.image_encoder.early(canvases.astype(dtype))
        embedding = self.image_encoder.rest(early).astype("float32").transpose([0, 2, 3, 1])
        rows = early if len(early.shape) == 3 else as_rows(early)  # those of TinyViT are a map
        return embedding, self.mask_decoder.hq_features(embedding, rows.astype("float32"))

    def decode(
        self, embedding: paddle.Tensor, hq_features: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of one image: `hq_features` is (1, S/4, S/4, 32); for the others see `SamParts.decode`."""
        return self._masks(embedding + self.prompt_encoder.no_dense(), hq_features, tokens, mask_indices)

    def decode_several(
        self,
        embeddings: paddle.Tensor,
        hq_features: paddle.Tensor,
        tokens: paddle.Tensor,
        mask_indices: paddle.Tensor,
        image_of: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of B images: `hq_features` is (B, S/4, S/4, 32); see `SamParts.decode_several`."""
        of_prompts = image_of.astype("int64")
        image = paddle.gather(embeddings + self.prompt_encoder.no_dense(), of_prompts)
        return self._masks(image, paddle.gather(hq_features, of_prompts), tokens, mask_indices)

    def refine(
        self,
        embedding: paddle.Tensor,
        hq_features: paddle.Tensor,
        tokens: paddle.Tensor,
        mask_indices: paddle.Tensor,
        mask_inputs: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of one image with a mask input each: see `decode` and `SamParts.refine`."""
        image = embedding + self.prompt_encoder.dense(mask_inputs.unsqueeze(1))
        return self._masks(image, hq_features, tokens, mask_indices)

    def _masks(
        self, image: paddle.Tensor, hq_features: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        logits, iou = self.mask_decoder.hq_masks(
            image, self.prompt_encoder.dense_pe(), tokens, mask_indices.astype("int64"), hq_features
        )
        return logits, iou


VARIANTS: dict[str, Callable[[], SamHqParts]] = {
    "sam_hq_light": lambda: SamHqParts(image_encoders.vit_tiny()),
    "sam_hq_b": lambda: SamHqParts(image_encoders.vit_b()),
    "sam_hq_l": lambda: SamHqParts(image_encoders.vit_l()),
    "sam_hq_h": lambda: SamHqParts(image_encoders.vit_h()),
}

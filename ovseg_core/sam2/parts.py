"""SAM 2's layers for images, and the parts of the network that run separately; see `sam.parts`."""

from __future__ import annotations

from collections.abc import Callable

from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam.parts import SamLayers
from ovseg_core.sam.shape import CANVAS, CHANNELS
from ovseg_core.sam.vit import PATCH
from ovseg_core.sam2.hiera import Hiera
from ovseg_core.sam2.mask_decoder import MaskDecoder
from ovseg_core.sam2.neck import Neck


class ImageEncoder(nn.Layer):
    """A normalised canvas (B, 3, S, S) to the image embedding and two maps of higher resolution; see `neck.Neck`."""

    def __init__(self, trunk: Hiera) -> None:
        super().__init__()
        self.trunk = trunk
        self.neck = Neck(trunk.pos_embed.shape[1])

    def forward(self, x: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        maps: tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor] = self.neck(self.trunk(x))
        return maps


class Sam2Parts(SamLayers):
    """SAM 2 in parts, with the names and arguments of `sam.parts.SamParts`. Each image has three arrays of features."""

    def __init__(self, trunk: Hiera, canvas_size: int = CANVAS) -> None:
        grid = canvas_size // PATCH
        maps = [(grid, grid, 4, CHANNELS // 4), (grid, grid, 16, CHANNELS // 8)]
        super().__init__(ImageEncoder(trunk), MaskDecoder(CHANNELS), canvas_size, maps=maps)

    def encode(self, canvases: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        """Canvases (B, 3, S, S) to features, float32 for any precision of the encoder: see `neck.Neck`."""
        dtype = self.image_encoder.parameters()[0].dtype
        return tuple(array.astype("float32") for array in self.image_encoder(canvases.astype(dtype)))

    def decode(
        self,
        embedding: paddle.Tensor,
        quarters: paddle.Tensor,
        sixteenths: paddle.Tensor,
        tokens: paddle.Tensor,
        mask_indices: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of one image, whose three arrays of features come first; see `SamParts.decode`."""
        image = embedding + self.prompt_encoder.no_dense()
        return self._masks(image, tokens, mask_indices, quarters, sixteenths)

    def decode_several(
        self,
        embeddings: paddle.Tensor,
        quarters: paddle.Tensor,
        sixteenths: paddle.Tensor,
        tokens: paddle.Tensor,
        mask_indices: paddle.Tensor,
        image_of: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of several images; see `SamParts.decode_several`."""
        of_image = image_of.astype("int64")
        image = paddle.gather(embeddings + self.prompt_encoder.no_dense(), of_image)
        skips = (paddle.gather(skip, of_image) for skip in (quarters, sixteenths))
        return self._masks(image, tokens, mask_indices, *skips)

    def refine(
        self,
        embedding: paddle.Tensor,
        quarters: paddle.Tensor,
        sixteenths: paddle.Tensor,
        tokens: paddle.Tensor,
        mask_indices: paddle.Tensor,
        mask_inputs: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts with a mask input each; see `SamParts.refine`."""
        image = embedding + self.prompt_encoder.dense(mask_inputs.unsqueeze(1))
        return self._masks(image, tokens, mask_indices, quarters, sixteenths)

    def _masks(
        self, image: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor, *skips: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        place = self.prompt_encoder.dense_pe()
        masks: tuple[paddle.Tensor, paddle.Tensor] = self.mask_decoder(
            image, place, tokens, mask_indices.astype("int64"), *skips
        )
        return masks


VARIANTS: dict[str, Callable[[], Sam2Parts]] = {
    "sam2_t": lambda: Sam2Parts(Hiera(96, (1, 2, 7, 2), 1, whole_grid=(5, 7, 9))),
    "sam2_s": lambda: Sam2Parts(Hiera(96, (1, 2, 11, 2), 1, whole_grid=(7, 10, 13))),
    "sam2_b+": lambda: Sam2Parts(Hiera(112, (2, 3, 16, 3), 2, whole_grid=(12, 16, 20), background=14)),
    "sam2_l": lambda: Sam2Parts(Hiera(144, (2, 6, 36, 4), 2, whole_grid=(23, 33, 43), windows=(8, 4, 16, 8))),
}

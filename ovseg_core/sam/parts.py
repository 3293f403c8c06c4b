"""SAM's layers in Paddle, and the parts of the network that run separately.

An image is encoded once, and any number of prompts are decoded from its embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ovseg_core.engines.parts import Shape
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam import image_encoders
from ovseg_core.sam.mask_decoder import MaskDecoder
from ovseg_core.sam.prompt_encoder import PromptEncoder
from ovseg_core.sam.shape import CANVAS, CHANNELS
from ovseg_core.sam.vit import PATCH


class SamLayers(nn.Layer):
    """The layers of a SAM or of a network derived from it, the shapes of its parts, and the part that all of them
    share: `prompts`.

    There are N prompts, each of T points: its clicks, and its box as two corners. The features of an image are the
    image embedding, (S/16, S/16, 256), and further maps. The parts that decode take all of them, in this order.
    """

    def __init__(
        self,
        image_encoder: nn.Layer,
        mask_decoder: MaskDecoder,
        canvas_size: int = CANVAS,
        input_size: int | None = None,
        maps: Sequence[Shape] = (),
    ) -> None:
        """`input_size` is the side of the encoder's input, if it is not the canvas; `maps` are the shapes of an image's
        further maps."""
        super().__init__()
        grid = canvas_size // PATCH
        self.canvas_size, self.input_size = canvas_size, input_size or canvas_size
        self.features: tuple[Shape, ...] = ((grid, grid, CHANNELS), *maps)  # their shapes, for one image
        self.image_encoder = image_encoder
        self.prompt_encoder = PromptEncoder(CHANNELS, (grid, grid), (canvas_size, canvas_size))
        self.mask_decoder = mask_decoder

    def shapes(self) -> dict[str, tuple[Shape, ...]]:
        """Return the shapes of the inputs of each part, by the name of its method."""
        side, low = self.input_size, self.canvas_size // 4
        tokens: Shape = (None, None, CHANNELS)
        mask_indices: Shape = (None,)
        of_one = (*((1, *shape) for shape in self.features), tokens, mask_indices)
        of_several = (*((None, *shape) for shape in self.features), tokens, mask_indices)
        return {
            "encode": ((None, 3, side, side),),
            "prompts": ((None, None, 2), (None, None)),
            "decode": of_one,
            "decode_several": (*of_several, (None,)),
            "refine": (*of_one, (None, low, low)),
        }

    def prompts(self, xy: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        """Points (N, T, 2) in canvas pixels and their labels (N, T), see `points`, to tokens (N, T, 256).

        This is a separate part so that it runs in float32: half precision would move a point by up to a pixel.
        """
        return self.prompt_encoder.sparse(xy, labels)


class SamParts(SamLayers):
    """SAM in parts."""

    def __init__(
        self,
        image_encoder: nn.Layer,
        canvas_size: int = CANVAS,
        input_size: int | None = None,
        norm_epsilon: float = 1e-5,
    ) -> None:
        """`input_size` is that of `SamLayers`, and `norm_epsilon` that of `MaskDecoder`."""
        super().__init__(image_encoder, MaskDecoder(CHANNELS, norm_epsilon=norm_epsilon), canvas_size, input_size)

    def encode(self, canvases: paddle.Tensor) -> paddle.Tensor:
        """Inputs (B, 3, S, S) to embeddings (B, S/16, S/16, 256), float32 for any precision of the encoder.

        Channels are last because the decoder needs them last, for every prompt.
        """
        dtype = self.image_encoder.parameters()[0].dtype
        return self.image_encoder(canvases.astype(dtype)).astype("float32").transpose([0, 2, 3, 1])

    def decode(
        self, embedding: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of one image.

        Args:
            embedding: (1, S/16, S/16, 256), of the image.
            tokens: (N, T, 256), of the prompts.
            mask_indices: (M,), from 0 to 3: which of SAM's masks to decode.

        Returns:
            Logits (N, M, S/4, S/4) and predicted IoU (N, M).
        """
        return self._masks(embedding + self.prompt_encoder.no_dense(), tokens, mask_indices)

    def decode_several(
        self, embeddings: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor, image_of: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts of several images: `embeddings` (B, S/16, S/16, 256); `image_of` (N,) is the image of each
        prompt, from 0 to B - 1. See `decode`."""
        image = paddle.gather(embeddings + self.prompt_encoder.no_dense(), image_of.astype("int64"))
        return self._masks(image, tokens, mask_indices)

    def refine(
        self, embedding: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor, mask_inputs: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Decode prompts with a mask input each: `mask_inputs` (N, S/4, S/4) are logits of an earlier answer. See
        `decode`."""
        return self._masks(embedding + self.prompt_encoder.dense(mask_inputs.unsqueeze(1)), tokens, mask_indices)

    def _masks(
        self, image: paddle.Tensor, tokens: paddle.Tensor, mask_indices: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        return self.mask_decoder(image, self.prompt_encoder.dense_pe(), tokens, mask_indices.astype("int64"))


VARIANTS: dict[str, Callable[[], SamParts]] = {
    "mobile_sam": lambda: SamParts(image_encoders.vit_tiny()),
    "sam_b": lambda: SamParts(image_encoders.vit_b()),
    "sam_l": lambda: SamParts(image_encoders.vit_l()),
    "sam_h": lambda: SamParts(image_encoders.vit_h()),
}

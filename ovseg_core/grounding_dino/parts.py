"""The network's layers, and its parts that run separately; see `engines.parts`.

All inputs are float32, also tokens and indices.
"""

from __future__ import annotations

from ovseg_core.engines.parts import Shape as InputShape
from ovseg_core.grounding_dino import levels
from ovseg_core.grounding_dino.decoder import Decoder
from ovseg_core.grounding_dino.fusion import FusionEncoder
from ovseg_core.grounding_dino.image_encoder import ImageEncoder
from ovseg_core.grounding_dino.proposals import Proposals
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.grounding_dino.text_encoder import TextEncoder
from ovseg_core.quiet_paddle import nn, paddle


class TextParts(nn.Layer):
    """The part that encodes phrases. It does not depend on the canvas."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.text_encoder = TextEncoder(shape)

    def shapes(self) -> dict[str, tuple[InputShape, ...]]:
        return {"text": ((None,), (None,), (None, None))}

    def text(self, tokens: paddle.Tensor, positions: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
        """Tokens (T,), their positions in their phrases (T,), and a mask (T, T) that is added, to features (T, C)."""
        return self.text_encoder(tokens.astype("int64"), positions.astype("int64"), mask)


class ImageParts(nn.Layer):
    """The parts that see an image, for canvases of one size: `encode`, `fuse` and `decode`."""

    def __init__(self, shape: Shape, canvas_hw: tuple[int, int]) -> None:
        super().__init__()
        self.shape, self.canvas_hw, self.sizes = shape, canvas_hw, levels.sizes(canvas_hw)
        self.image_encoder = ImageEncoder(shape, canvas_hw)
        self.fusion = FusionEncoder(shape, self.sizes)
        self.proposals = Proposals(shape)
        self.decoder = Decoder(shape, self.sizes)

    def shapes(self) -> dict[str, tuple[InputShape, ...]]:
        channels, queries, depth = self.shape.channels, self.shape.queries, len(self.sizes)
        positions = sum(h * w for h, w in self.sizes)
        image, is_image, text = (positions, channels), (positions,), (None, channels)
        return {
            "encode": ((1, 3, *self.canvas_hw),),
            "fuse": (image, image, is_image, (positions, depth, 2), is_image, text, text, (None,), (None, None)),
            "decode": (image, is_image, (depth, 2), (queries,), (queries, 4), (queries,), text, (None,)),
        }

    def encode(self, canvas: paddle.Tensor) -> paddle.Tensor:
        """A normalised canvas (1, 3, H, W) to features (1, L, C)."""
        return self.image_encoder(canvas).unsqueeze(0)

    def fuse(
        self,
        image: paddle.Tensor,
        image_places: paddle.Tensor,
        is_image: paddle.Tensor,
        references: paddle.Tensor,
        proposes: paddle.Tensor,
        text: paddle.Tensor,
        text_places: paddle.Tensor,
        text_mask: paddle.Tensor,
        self_mask: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
        """Return the image (L, C) and the text (T, C), fused, and how well each position fits its best token, (L,).

        For the arguments see `fusion.FusionEncoder` and `levels.Levels`.
        """
        image, text = self.fusion(image, image_places, is_image, references, text, text_places, text_mask, self_mask)
        return image, text, self.proposals.scores(image, proposes, text, text_mask)

    def decode(
        self,
        image: paddle.Tensor,
        is_image: paddle.Tensor,
        shares: paddle.Tensor,
        chosen: paddle.Tensor,
        proposals: paddle.Tensor,
        proposes: paddle.Tensor,
        text: paddle.Tensor,
        text_mask: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return logits (Q, T), and boxes (Q, 4) as centre and size from 0 to 1 of the image.

        `chosen` (Q,) are the indices of the positions that become queries, and `proposals` (Q, 4) and `proposes` (Q,)
        their rows of `levels.Levels`. The other arguments are as in `fuse`.
        """
        rows = paddle.gather(image, chosen.astype("int64"))
        boxes = self.proposals.boxes(rows, proposes, proposals)
        logits, boxes = self.decoder(boxes, shares, image, is_image, text, text_mask)
        return logits, boxes

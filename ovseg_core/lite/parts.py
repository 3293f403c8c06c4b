"""SAM-Lite's layers in Paddle, and the parts of the network that run separately.

An image is encoded once. A prompt with a box then needs the mask head, and a prompt of clicks the locator and the mask
head.
"""

from __future__ import annotations

from ovseg_core.engines.parts import Shape
from ovseg_core.lite.image_encoder import ImageEncoder
from ovseg_core.lite.locator import Locator
from ovseg_core.lite.mask_head import MaskHead
from ovseg_core.lite.shape import (
    CANVAS,
    CHANNELS,
    CLICK_WIDTHS,
    LOCATOR_CHANNELS,
    MAPS,
    MASK,
    MASK_CHANNELS,
    REGION,
    STRIDES,
)
from ovseg_core.quiet_paddle import nn, paddle


class LiteParts(nn.Layer):
    """SAM-Lite in parts, for canvases (B, 3, S, S). S is a multiple of 64."""

    def __init__(self, canvas_size: int = CANVAS) -> None:
        super().__init__()
        self.canvas_size = canvas_size
        self.image_encoder = ImageEncoder()
        self.locator = Locator()
        self.mask_head = MaskHead()

    def shapes(self) -> dict[str, tuple[Shape, ...]]:
        """Return the shapes of the inputs of each part, by the name of its method."""
        _, side8, side16 = (self.canvas_size // stride for stride in STRIDES)
        fine, entered = LOCATOR_CHANNELS
        feature: Shape = (1, entered, side16, side16)
        drawn: tuple[Shape, ...] = ((None, 2, side8, side8), (None, 2 * len(CLICK_WIDTHS), side16, side16))
        return {
            "encode": ((None, 3, self.canvas_size, self.canvas_size),),
            "locate": ((1, fine, side8, side8), feature, feature, (None, sum(CHANNELS[1:])), *drawn),
            "mask": (
                (None, MASK_CHANNELS[0], MASK, MASK),
                (None, MASK_CHANNELS[2], REGION, REGION),
                (None, MAPS, REGION, REGION),
            ),
        }

    def encode(self, canvases: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        """Call `ImageEncoder`."""
        return self.image_encoder(canvases)

    def locate(
        self,
        detail: paddle.Tensor,
        feature: paddle.Tensor,
        same: paddle.Tensor,
        clicked: paddle.Tensor,
        drawn8: paddle.Tensor,
        drawn16: paddle.Tensor,
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Call `Locator`."""
        return self.locator(detail, feature, same, clicked, drawn8, drawn16)

    def mask(
        self, detail: paddle.Tensor, region: paddle.Tensor, drawn: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Call `MaskHead`."""
        return self.mask_head(detail, region, drawn)

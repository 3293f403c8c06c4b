"""EfficientViT-SAM's image encoder: the stages of EfficientViT, and a neck that joins the last three."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ovseg_core.efficientvit_sam import layers
from ovseg_core.efficientvit_sam.layers import Convolution, Residual, op_list
from ovseg_core.quiet_paddle import nn, paddle
from ovseg_core.sam import bicubic
from ovseg_core.sam.layers import LayerNorm2d
from ovseg_core.sam.shape import CHANNELS

DOWNSAMPLING_FACTOR = 4  # the first block of a stage widens by this times the stage's expansion


class StageShape(NamedTuple):
    """A stage: its channels, the number of its blocks after the first one, and what they are.

    `kind` is "residual", "fused", "inverted" or "attention". `expansion` is the factor of the channels in a block.
    """

    channels: int
    depth: int
    kind: str
    expansion: int


class Backbone(nn.Layer):
    """A normalised canvas (B, 3, S, S) to the outputs of the stages, each on half of the grid of the one before."""

    def __init__(self, shapes: Sequence[StageShape], scale: int) -> None:
        """`scale` is the side of the square of neighbours in the attention's second scale."""
        super().__init__()
        stages, channels = [], 3
        for shape in shapes:
            rest = [_block(shape, scale) for _ in range(shape.depth)]
            stages.append(op_list(_first_block(channels, shape), *rest))
            channels = shape.channels
        self.stages = nn.LayerList(stages)

    def forward(self, x: paddle.Tensor) -> list[paddle.Tensor]:
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs


class Neck(nn.Layer):
    """Resizes the outputs of the last three stages to a grid, adds them, and applies fused blocks."""

    def __init__(self, channels: Sequence[int], grid: int, depth: int, expansion: int) -> None:
        """`channels` are those of the last three stages, the last stage first."""
        super().__init__()
        self.grid = grid
        self.input_ops = nn.LayerList([op_list(Convolution(width, CHANNELS)) for width in channels])
        self.middle = op_list(*(Residual(layers.fused(CHANNELS, CHANNELS, expansion)) for _ in range(depth)))
        self.output_ops = nn.LayerList([op_list(Convolution(CHANNELS, CHANNELS, has_norm=False))])

    def forward(self, outputs: Sequence[paddle.Tensor]) -> paddle.Tensor:
        """`outputs` are those of the last three stages, the last stage first."""
        resized = [_enlarged(narrow(outputs[i]), self.grid) for i, narrow in enumerate(self.input_ops)]
        return self.output_ops[0](self.middle(sum(resized[1:], resized[0])))


class EfficientViT(nn.Layer):
    """A normalised RGB canvas (B, 3, S, S) to an image embedding (B, 256, grid, grid)."""

    def __init__(
        self, shapes: Sequence[StageShape], scale: int, neck_depth: int, neck_expansion: int, grid: int = 64
    ) -> None:
        super().__init__()
        self.backbone = Backbone(shapes, scale)
        self.neck = Neck([shape.channels for shape in shapes[:-4:-1]], grid, neck_depth, neck_expansion)
        self.norm = LayerNorm2d(CHANNELS)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return self.norm(self.neck(self.backbone(x)[:-4:-1]))


def _first_block(channels: int, shape: StageShape) -> nn.Layer:
    """Make the block that halves the grid. That of the first stage is one convolution."""
    if channels == 3:
        return Convolution(channels, shape.channels, 3, 2, is_activated=True)
    make = layers.fused if shape.kind == "fused" else layers.inverted
    return nn.Sequential(("main", make(channels, shape.channels, DOWNSAMPLING_FACTOR * shape.expansion, stride=2)))


def _block(shape: StageShape, scale: int) -> nn.Layer:
    if shape.kind == "attention":
        return layers.attention_block(shape.channels, shape.expansion, scale)
    if shape.kind == "residual":
        return Residual(layers.residual_block(shape.channels))
    make = layers.fused if shape.kind == "fused" else layers.inverted
    return Residual(make(shape.channels, shape.channels, shape.expansion))


def _enlarged(x: paddle.Tensor, side: int) -> paddle.Tensor:
    """Resize (B, C, h, h) bicubically to (B, C, side, side), as PyTorch does.

    This is a product with the same matrix from both sides, which every engine has and computes the same.
    """
    cells = x.shape[2]
    if cells == side:
        return x
    weights = paddle.to_tensor(bicubic.weights(cells, side)).astype(x.dtype)
    return paddle.matmul(paddle.matmul(weights, x), weights, transpose_y=True)

"""EfficientViT-SAM in its published sizes. Its parts are SAM's: only the image encoder differs."""

from __future__ import annotations

from collections.abc import Callable

from ovseg_core.efficientvit_sam.image_encoder import EfficientViT, StageShape
from ovseg_core.efficientvit_sam.layers import NORM_EPSILON
from ovseg_core.efficientvit_sam.shape import SMALL_INPUT
from ovseg_core.sam.parts import SamParts


def _l(depths: tuple[int, ...], neck_depth: int) -> SamParts:
    channels, expansions = (32, 64, 128, 256, 512), (1, 4, 4, 4, 6)
    kinds = ("residual", "fused", "fused", "inverted", "attention")
    shapes = [StageShape(*shape) for shape in zip(channels, depths, kinds, expansions, strict=True)]
    encoder = EfficientViT(shapes, scale=5, neck_depth=neck_depth, neck_expansion=1)
    return SamParts(encoder, input_size=SMALL_INPUT, norm_epsilon=NORM_EPSILON)


def _xl(depths: tuple[int, ...], neck_depth: int) -> SamParts:
    channels, expansions = (32, 64, 128, 256, 512, 1024), (1, 4, 4, 4, 4, 6)
    kinds = ("residual", "fused", "fused", "fused", "attention", "attention")
    shapes = [StageShape(*shape) for shape in zip(channels, depths, kinds, expansions, strict=True)]
    return SamParts(EfficientViT(shapes, scale=3, neck_depth=neck_depth, neck_expansion=4), norm_epsilon=NORM_EPSILON)


VARIANTS: dict[str, Callable[[], SamParts]] = {
    "efficientvit_sam_l0": lambda: _l((1, 1, 1, 4, 4), neck_depth=4),
    "efficientvit_sam_l1": lambda: _l((1, 1, 1, 6, 6), neck_depth=8),
    "efficientvit_sam_l2": lambda: _l((1, 2, 2, 8, 8), neck_depth=12),
    "efficientvit_sam_xl0": lambda: _xl((0, 1, 1, 2, 3, 3), neck_depth=6),
    "efficientvit_sam_xl1": lambda: _xl((1, 2, 2, 4, 6, 6), neck_depth=12),
}

"""The image encoders in the sizes that were published, by the names of `segment_anything`'s and SAM-HQ's registries."""

from __future__ import annotations

from ovseg_core.sam.tiny_vit import TinyViT
from ovseg_core.sam.vit import VisionTransformer


def vit_tiny() -> TinyViT:
    return TinyViT((64, 128, 160, 320), (2, 2, 6, 2), (4, 5, 10), window_sides=(7, 14, 7))


def vit_b() -> VisionTransformer:
    return VisionTransformer(768, depth=12, heads=12, whole_grid=(2, 5, 8, 11))


def vit_l() -> VisionTransformer:
    return VisionTransformer(1024, depth=24, heads=16, whole_grid=(5, 11, 17, 23))


def vit_h() -> VisionTransformer:
    return VisionTransformer(1280, depth=32, heads=16, whole_grid=(7, 15, 23, 31))

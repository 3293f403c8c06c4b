"""The sizes of the network's layers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The sizes of a Grounding DINO; the defaults are those of the size T.

    Attributes:
        swin_channels: of the image encoder's first stage; each later stage has twice as many as the stage before it.
        swin_depths: blocks of each stage.
        swin_heads: of each stage.
        window: side of the windows of the image encoder, in positions.
        vocabulary: number of tokens.
        text_channels: of the text encoder.
        text_depth: layers of the text encoder.
        text_heads: of the text encoder.
        text_hidden: width of the text encoder's feed-forward layers.
        text_positions: the text encoder has an embedding for each.
        channels: C, of the layers that image and text pass together.
        depth: layers of the fusion encoder, and of the decoder.
        heads: of these layers; attention between image and text, and within the text, has half as many.
        points: that a head samples in each level.
        hidden: width of the feed-forward layers; that of the text's, and of attention between image and text, is half.
        queries: Q, and therefore the maximum number of boxes.
        is_mm: True for MM-Grounding-DINO and LLMDet: their scores are divided by the root of the channels and have a
            learned bias, and each layer of their decoder has its own box head.
    """

    swin_channels: int = 96
    swin_depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    swin_heads: tuple[int, int, int, int] = (3, 6, 12, 24)
    window: int = 7
    vocabulary: int = 30522
    text_channels: int = 768
    text_depth: int = 12
    text_heads: int = 12
    text_hidden: int = 3072
    text_positions: int = 512
    channels: int = 256
    depth: int = 6
    heads: int = 8
    points: int = 4
    hidden: int = 2048
    queries: int = 900
    is_mm: bool = False


SHAPES = {
    "grounding_dino_t": Shape(),
    "mm_grounding_dino_t": Shape(is_mm=True),
    "grounding_dino_b": Shape(swin_channels=128, swin_depths=(2, 2, 18, 2), swin_heads=(4, 8, 16, 32), window=12),
}

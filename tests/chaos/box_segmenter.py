"""A segmenter whose answer is known: the mask of a prompt is its box, and its score is the redness of the image."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from ovseg_core.canvas import Frame
from ovseg_core.masks import Mask
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Embedding

ENCODE_SECONDS = 0.15  # so that a kill meets jobs in mid-work


class BoxSegmenter:
    """Stands where `Segmenter` stands, and needs no Paddle."""

    engine = "none"
    spec = SimpleNamespace(preset=SimpleNamespace(prompts_per_batch=64))

    @classmethod
    def open(cls, *_: str) -> BoxSegmenter:
        return cls()

    def encode(self, image_rgb: np.ndarray) -> Embedding:
        time.sleep(ENCODE_SECONDS)
        height, width = image_rgb.shape[:2]
        return Embedding("SAM-Lite", (image_rgb[..., 0].mean(dtype=np.float32),), Frame((height, width), 64))

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
        score = round(float(embedding.features[0]) / 255, 4)
        return [_filled(prompt, embedding.frame.image_hw, score) for prompt in prompts]


def _filled(prompt: Prompt, image_hw: tuple[int, int], score: float) -> Mask:
    x0, y0, x1, y1 = (int(side) for side in prompt.box or (*prompt.points[0], *prompt.points[0]))
    return Mask.of_crop(np.ones((y1 - y0, x1 - x0), bool), (x0, y0), image_hw, score)

"""A detector whose network runs in parts on an engine; it joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from ovseg_core.engines.parts import Runner
from ovseg_core.grounding_dino import levels, placement, proposals, sine
from ovseg_core.grounding_dino.detector import Detector, EncodedImage, EncodedText
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.grounding_dino.text import Text

CACHED_LEVELS = 4  # at 24 MB each; images of the same size have the same

ImageRunners = Callable[[tuple[int, int]], Mapping[str, Runner]]  # the parts for canvases of this height and width


class DetectorInParts(Detector):
    """An image is encoded once for any number of texts, and a text once for any number of images."""

    def __init__(self, shape: Shape, text_runner: Runner, image_runners: ImageRunners, sizes: Placement) -> None:
        """`text_runner` is the part `text`; `image_runners` returns the parts `encode`, `fuse` and `decode`."""
        super().__init__()
        self._shape, self._image_runners, self._sizes = shape, image_runners, sizes
        self._text_runner = text_runner
        self._levels = lru_cache(CACHED_LEVELS)(lambda canvas, image: levels.of(canvas, image, shape.channels))

    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        image_hw = (image_rgb.shape[0], image_rgb.shape[1])
        resized_hw = self._sizes.resized_hw(image_hw)
        canvas_hw = self._sizes.canvas_hw(resized_hw)
        canvas = placement.drawn(image_rgb, resized_hw, canvas_hw)
        [features] = self._image_runners(canvas_hw)["encode"](canvas)
        return EncodedImage(features[0], canvas_hw, resized_hw, image_hw)

    def encode_text(self, asked: Text) -> EncodedText:
        [features] = self._text_runner(asked.tokens, asked.positions, asked.self_mask)
        return EncodedText(asked, sine.embedding(asked.positions, self._shape.channels), features)

    def answer(self, image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        asked, places, features = encoded
        grid = self._levels(image.canvas_hw, image.resized_hw)
        run = self._image_runners(image.canvas_hw)
        fused, words, scores = run["fuse"](
            image.features,
            grid.embedding,
            grid.is_image,
            grid.references,
            grid.proposes,
            features,
            places,
            asked.mask,
            asked.self_mask,
        )
        chosen = proposals.chosen(scores, self._shape.queries)
        of_chosen = (chosen.astype(np.float32), grid.proposals[chosen], grid.proposes[chosen])
        logits, boxes = run["decode"](fused, grid.is_image, grid.shares, *of_chosen, words, asked.mask)
        return boxes, logits

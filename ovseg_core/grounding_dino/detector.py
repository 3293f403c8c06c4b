"""The detector: an image and phrases to boxes. It joins the parts of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ovseg_core.engines.parts import Runner
from ovseg_core.grounding_dino import detections, levels, placement, proposals, sine, text, tokenizer
from ovseg_core.grounding_dino.detections import Detections, Searched
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.grounding_dino.shape import Shape
from ovseg_core.grounding_dino.text import Text, Tokens

CACHED_TEXTS = 64  # a text of 256 tokens has 0.25 MB of features, and as much of masks
CACHED_LEVELS = 4  # at 24 MB each; images of the same size have the same

ImageRunners = Callable[[tuple[int, int]], Mapping[str, Runner]]  # the parts for canvases of this height and width


class EncodedImage(NamedTuple):
    """The features of an image. Any list of phrases can be searched in it.

    Attributes:
        features: (L, C) float32.
        canvas_hw: height and width of the canvas.
        resized_hw: height and width of the image on the canvas.
        image_hw: height and width of the image.
    """

    features: np.ndarray
    canvas_hw: tuple[int, int]
    resized_hw: tuple[int, int]
    image_hw: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Size of the features in memory, in bytes."""
        return self.features.nbytes


class Pass(NamedTuple):
    """Phrases that are searched together: their positions in the caller's list, and the tokens of each."""

    indices: tuple[int, ...]
    tokens: tuple[Tokens, ...]


class EncodedText(NamedTuple):
    """A text, the embedding (T, C) of its positions, and its features (T, C) float32."""

    text: Text
    places: np.ndarray
    features: np.ndarray


class Detector:
    """Finds the boxes of phrases in images. Only one thread at a time may call it."""

    def __init__(self, shape: Shape, text_runner: Runner, image_runners: ImageRunners, sizes: Placement) -> None:
        """`text_runner` is the part `text`; `image_runners` returns the parts `encode`, `fuse` and `decode`."""
        self._shape, self._image_runners, self._sizes = shape, image_runners, sizes
        self._text_runner = text_runner
        self._encode_phrases = lru_cache(CACHED_TEXTS)(lambda phrases: self.encode_text(text.of(phrases)))
        self._levels = lru_cache(CACHED_LEVELS)(lambda canvas, image: levels.of(canvas, image, shape.channels))

    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        """Encode an image (H, W, 3) uint8."""
        image_hw = (image_rgb.shape[0], image_rgb.shape[1])
        resized_hw = self._sizes.resized_hw(image_hw)
        canvas_hw = self._sizes.canvas_hw(resized_hw)
        canvas = placement.drawn(image_rgb, resized_hw, canvas_hw)
        [features] = self._image_runners(canvas_hw)["encode"](canvas)
        return EncodedImage(features[0], canvas_hw, resized_hw, image_hw)

    def detect(
        self, image: EncodedImage, phrases: str | Sequence[str], options: DetectionOptions | None = None
    ) -> Detections:
        """Return the boxes of phrases in an image.

        Long lists of phrases are searched in several passes, each with as many phrases as fit into one text. Phrases of
        different passes do not influence one another; those of one pass may.

        Args:
            image: what `encode` returned.
            phrases: such as "remote control"; one, or a list of at least one.
            options: the defaults if None.

        Raises:
            OvsegError: `phrase_empty`, `phrase_unreadable` or `phrase_too_long`; its `field` names the phrase. Also
                `phrase_empty` without a field if there is no phrase.
        """
        options = options or DetectionOptions()
        passes = self.passes([phrases] if isinstance(phrases, str) else phrases)
        return detections.best([detections.found(self.search(image, each), options) for each in passes], options)

    def passes(self, phrases: Sequence[str]) -> list[Pass]:
        """Split the phrases into passes. Raises as `detect`. It may be called from any thread."""
        tokens = tokenizer.of_all(phrases)
        return [Pass(tuple(group), tuple(tokens[i] for i in group)) for group in text.passes(tokens)]

    def search(self, image: EncodedImage, phrases: Pass) -> Searched:
        """Return how well each box of the network fits each phrase of one pass."""
        encoded = self._encode_phrases(phrases.tokens)
        boxes, logits = self.answer(image, encoded)
        return Searched(boxes, text.scores(logits, encoded.text.spans), phrases.indices, image.image_hw)

    def encode_text(self, asked: Text) -> EncodedText:
        """Encode a text. `detect` does so itself, and keeps the last texts."""
        [features] = self._text_runner(asked.tokens, asked.positions, asked.self_mask)
        return EncodedText(asked, sine.embedding(asked.positions, self._shape.channels), features)

    def answer(self, image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes (Q, 4), as centre and size from 0 to 1 of the image, and logits (Q, T) for each token."""
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

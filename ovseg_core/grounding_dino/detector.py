"""A detector: an image and phrases to boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ovseg_core.grounding_dino import detections, text, tokenizer
from ovseg_core.grounding_dino.detections import Detections, Searched
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.grounding_dino.text import Text, Tokens

CACHED_TEXTS = 64  # a text of 256 tokens has 0.25 MB of features, and as much of masks


class EncodedImage(NamedTuple):
    """The features of an image. Any list of phrases can be searched in it.

    Attributes:
        features: (L, C) float32. If the network cannot be divided, the normalised image (1, 3, h, w).
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
    """A text, the embedding (T, C) of its positions, and its features (T, C) float32.

    Both are empty if the network cannot be divided.
    """

    text: Text
    places: np.ndarray = np.zeros((0, 0), np.float32)
    features: np.ndarray = np.zeros((0, 0), np.float32)


class Detector(ABC):
    """Finds the boxes of phrases in images. Only one thread at a time may call it."""

    def __init__(self) -> None:
        self._encode_phrases = lru_cache(CACHED_TEXTS)(lambda phrases: self.encode_text(text.of(phrases)))

    @abstractmethod
    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        """Encode an image (H, W, 3) uint8."""

    @abstractmethod
    def encode_text(self, asked: Text) -> EncodedText:
        """Encode a text. `detect` does so itself, and keeps the last texts."""

    @abstractmethod
    def answer(self, image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes (Q, 4), as centre and size from 0 to 1 of the image, and logits (Q, T) for each token."""

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

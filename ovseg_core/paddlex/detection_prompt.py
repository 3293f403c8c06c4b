"""PaddleX's prompt of a detector, such as "bus . walking man .", and the labels that PaddleX makes of its tokens.

Unlike `Detector.detect`, which answers with the caller's phrases, PaddleX makes a label of all tokens of the prompt
that fit a box. So words of different phrases are joined, and a full stop can be part of a label.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import detections, text, tokenizer
from ovseg_core.grounding_dino.text import MAX_TOKENS, Text
from ovseg_core.grounding_dino.tokenizer import BEGIN, DELIMITERS, END
from ovseg_core.paddlex.thresholds import Thresholds

FIELD = "prompt"
SPELLING = (  # PaddleX writes these without spaces, in this order
    (re.compile(r" ([.?!,])"), r"\1"),
    (re.compile(r" ' "), "'"),
    (re.compile(r" (n't|'m|'s|'ve|'re)"), r"\1"),
)


class Prompt(NamedTuple):
    """A prompt as a text for the network, and its tokens without padding."""

    text: Text
    tokens: tuple[int, ...]

    @classmethod
    def of(cls, given: str) -> Prompt:
        """Split a prompt into tokens, and into phrases at full stops and question marks.

        A prompt that does not end in a full stop gets one.

        Raises:
            TypeError: the prompt is not a string.
            OvsegError: `phrase_empty` if it has no word; `phrase_too_long` if it has more tokens than a text. PaddleX
                cuts such a prompt, and does not search for the rest.
        """
        if not isinstance(given, str):
            raise TypeError(f"prompt must be a string such as 'bus . walking man .', not {type(given).__name__}")
        stripped = given.strip()
        ended = stripped if stripped.endswith(".") else f"{stripped}."
        written = tokenizer.bert().encode(ended, add_special_tokens=False).ids
        if DELIMITERS.issuperset(written):
            raise OvsegError("phrase_empty", "the prompt needs a word", FIELD)
        if len(written) > MAX_TOKENS - 2:
            message = f"the prompt has {len(written)} tokens; it may have at most {MAX_TOKENS - 2}"
            raise OvsegError("phrase_too_long", message, FIELD)
        tokens = (BEGIN, *written, END)
        return cls(text.of_tokens(tokens), tokens)

    def label(self, fits: np.ndarray) -> str:
        """Return the words of those tokens for which `fits` (T,) is True, in PaddleX's spelling."""
        fitting = (token for token, is_fitting in zip(self.tokens, fits, strict=False) if is_fitting)
        words = " ".join(str(tokenizer.bert().id_to_token(token)) for token in fitting).replace(" ##", "").strip()
        for pattern, spelling in SPELLING:
            words = pattern.sub(spelling, words)
        return words


def boxes(
    prompt: Prompt, logits: np.ndarray, centres: np.ndarray, image_hw: tuple[int, int], thresholds: Thresholds
) -> list[dict[str, Any]]:
    """Return PaddleX's `boxes`: those whose best token has a score above `box_threshold`.

    Overlapping boxes are all kept, in the order of the network, and a box may extend beyond the image. The label has
    the tokens with a score above `text_threshold`.

    Args:
        prompt: the prompt.
        logits: (Q, T) for each token.
        centres: boxes (Q, 4), as centre and size from 0 to 1 of the image.
        image_hw: height and width of the image, in pixels.
        thresholds: the thresholds.
    """
    scores = text.sigmoid(logits)
    best = scores.max(axis=1)
    pixels = detections.in_pixels(detections.corners(centres), image_hw)
    return [
        {
            "coordinate": pixels[i].tolist(),
            "label": prompt.label(scores[i] > thresholds.text_threshold),
            "score": float(best[i]),
        }
        for i in np.flatnonzero(best > thresholds.box_threshold)
    ]

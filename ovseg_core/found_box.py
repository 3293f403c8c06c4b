"""The box that a detector found for a phrase."""

from __future__ import annotations

from typing import NamedTuple

from ovseg_core.prompts import Box


class FoundBox(NamedTuple):
    """A box that a detector found.

    Attributes:
        phrase: in the caller's words.
        phrase_index: the position of the phrase in the caller's list.
        box: x0, y0, x1, y1 in pixels of the image.
        score: how well the box fits the phrase, 0 to 1.
    """

    phrase: str
    phrase_index: int
    box: Box
    score: float

    @property
    def shown(self) -> str:
        """The phrase with its score, for a picture."""
        return f"{self.phrase} {self.score:.2f}"

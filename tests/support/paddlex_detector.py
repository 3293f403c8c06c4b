"""The colour detector in the place of GroundingDINO-T, for PaddleX's pipelines and for the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import detectors, models
from ovseg_core.grounding_dino.detector import Detector, EncodedImage, EncodedText
from ovseg_core.grounding_dino.tokenizer import BEGIN, DELIMITERS, END
from tests.support import colour_detector, small_grounding_dino

IMAGE_HW = (249, 390)
PLACES = {"g": (60, 60, 150, 150), "r": (260, 120, 350, 210)}
CERTAIN = {"box_threshold": 0.55, "text_threshold": 0.55}  # zeros are logits of words that do not fit


def image_bgr() -> np.ndarray:
    """Return an image with a green object to the left and a red one to the right and below."""
    return np.ascontiguousarray(colour_detector.scene(PLACES, IMAGE_HW)[:, :, ::-1])


def made(folder: Path) -> Detector:
    return colour_detector.detector(small_grounding_dino.file("grounding_dino", folder))


def install(detector: Detector, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install an empty file as GroundingDINO-T in a folder of models, and let it load this detector.

    Its words are constructed, but its delimiters are not, so their logits are replaced by those of a trained network:
    low ones.
    """
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(folder))
    models.find_detector("GroundingDINO-T").weights.touch()
    answer = detector.answer

    def trained(image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        boxes, logits = answer(image, encoded)
        logits[:, np.isin(encoded.text.tokens, [BEGIN, END, *DELIMITERS])] = -20
        return boxes, logits

    monkeypatch.setattr(detector, "answer", trained)
    monkeypatch.setattr(detectors, "load", lambda *arguments: detector)


def are_at(boxes: Sequence[Sequence[float]], word: str) -> bool:
    """True if the mean of the centres of boxes is in the object of this word."""
    x0, y0, x1, y1 = PLACES[word]
    corners = np.array(boxes)
    x, y = ((corners[:, :2] + corners[:, 2:]) / 2).mean(axis=0)
    return bool(x0 < x < x1 and y0 < y < y1)

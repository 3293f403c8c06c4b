"""An inference with known results: the mask of a prompt is its box, and its score is the redness of the image."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np

from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt
from worker.inference.inference import Inference

ENCODE_SECONDS = 0.15  # long enough that a kill hits running jobs


class BoxInference(Inference):
    """An `Inference` that needs no network. It also encodes one image at a time."""

    def __init__(self, encode_seconds: float = ENCODE_SECONDS) -> None:
        self._encode_seconds = encode_seconds
        self._lock = threading.Lock()

    @property
    def running_seconds(self) -> float:
        return 0.0  # it never hangs

    def warm_up(self, model: str) -> None:
        pass

    def engine(self, model: str) -> tuple[str, str]:
        return "none", "float32"

    def fingerprint(self, model: str) -> str:
        return model

    def encode(self, model: str, image_rgb: np.ndarray) -> tuple[Embedding, float]:
        with self._lock:
            time.sleep(self._encode_seconds)
        height, width = image_rgb.shape[:2]
        redness = image_rgb[..., 0].mean(dtype=np.float32)
        return Embedding(model, (redness,), Frame((height, width), 64)), self._encode_seconds * 1000

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[list[Mask], float]:
        score = round(float(embedding.features[0]) / 255, 4)
        return [_filled(prompt, embedding.frame.image_hw, score) for prompt in prompts], 0.0


def _filled(prompt: Prompt, image_hw: tuple[int, int], score: float) -> Mask:
    x0, y0, x1, y1 = (int(side) for side in prompt.box or (*prompt.points[0], *prompt.points[0]))
    return Mask.of_crop(np.ones((y1 - y0, x1 - x0), bool), (x0, y0), image_hw, score)

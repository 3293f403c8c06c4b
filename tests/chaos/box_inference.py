"""An inference with known results: the mask of a prompt is its box, that of a click of everything mode a small square,
and the score is the redness of the image."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.everything import crops
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.everything.proposals import Proposal
from ovseg_core.everything.search import Step
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt
from tests.chaos.order import CLICKED
from worker.inference.inference import Inference
from worker.inference.urgency import Urgency

ENCODE_SECONDS = 0.15  # long enough that a kill hits running jobs
CLICK_SECONDS = 0.4  # likewise, and so that the progress is reported more than once


class BoxInference(Inference):
    """An `Inference` that needs no network. It also encodes one image at a time."""

    def __init__(self, encode_seconds: float = ENCODE_SECONDS) -> None:
        self._encode_seconds = encode_seconds
        self._lock = threading.Lock()

    @property
    def running_seconds(self) -> float:
        return 0.0  # it never hangs

    @property
    def loaded(self) -> dict[str, tuple[str, str]]:
        return {}

    def warm_up(self, model: str) -> None:
        pass

    def engine(self, model: str) -> tuple[str, str]:
        return "none", "float32"

    def weights_sha256(self, model: str) -> str:
        return "0" * 64

    def fingerprint(self, model: str) -> str:
        return model

    def is_costly(self, model: str) -> bool:
        return self._encode_seconds >= 0.5

    def encode(self, model: str, image_rgb: np.ndarray, urgency: Urgency = Urgency.NORMAL) -> tuple[Embedding, float]:
        with self._lock:
            time.sleep(self._encode_seconds)
        height, width = image_rgb.shape[:2]
        redness = image_rgb[..., 0].mean(dtype=np.float32)
        return Embedding(model, (redness,), Frame((height, width), 64)), self._encode_seconds * 1000

    def decode(
        self, embedding: Embedding, prompts: Sequence[Prompt], all_masks: bool = False
    ) -> tuple[list[list[Mask]], float]:
        score, image_hw = self._score(embedding), embedding.frame.image_hw
        boxes = [prompt.box or (*prompt.points[0], *prompt.points[0]) for prompt in prompts]
        return [[_filled(box, image_hw, score)] for box in boxes], 0.0

    def everything(
        self,
        embedding: Embedding,
        picture: Callable[[], np.ndarray],
        options: Mapping[str, Any],
        urgency: Urgency = Urgency.NORMAL,
    ) -> Iterator[tuple[Step, float]]:
        parts = crops.of(embedding.frame.image_hw, EverythingOptions().changed(options))
        total, score = sum(len(crop.points) for crop in parts), self._score(embedding)
        found: list[Proposal] = []
        for crop in parts:
            for x, y in crop.points.round().tolist():
                time.sleep(CLICK_SECONDS)
                mask = _filled((x, y, x + CLICKED, y + CLICKED), embedding.frame.image_hw, score)
                found.append(Proposal(mask, (x, y), score, 1.0, crop))
                yield Step(len(found), total), 0.0
        yield Step(total, total, chosen=found), 0.0

    def _score(self, embedding: Embedding) -> float:
        return round(float(embedding.features[0]) / 255, 4)


def _filled(box: Sequence[float], image_hw: tuple[int, int], score: float) -> Mask:
    x0, y0, x1, y1 = (int(side) for side in box)
    return Mask.of_crop(np.ones((y1 - y0, x1 - x0), bool), (x0, y0), image_hw, score)

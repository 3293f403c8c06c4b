"""The device's one thread: jobs are fetched and stored side by side, but the network answers one at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ovseg_core.masks import Mask
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Embedding, Segmenter

T = TypeVar("T")


class Inference:
    """A Segmenter behind one thread, which Paddle's device and modes are bound to. Callable from any thread.

    Each call tells also how many milliseconds the network itself took, without the wait for its turn.
    """

    def __init__(self, model: str, device: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._segmenter = self._thread.submit(Segmenter.open, model, device).result()
        self._warm_up()

    def encode(self, image_rgb: np.ndarray) -> tuple[Embedding, float]:
        return self._timed(lambda: self._segmenter.encode(image_rgb))

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[list[Mask], float]:
        return self._timed(lambda: self._segmenter.decode(embedding, prompts))

    def _timed(self, call: Callable[[], T]) -> tuple[T, float]:
        def run() -> tuple[T, float]:
            start = time.perf_counter()
            return call(), round((time.perf_counter() - start) * 1000, 2)

        return self._thread.submit(run).result()

    def _warm_up(self) -> None:
        """The first run of a network is slow; let it not be a caller's."""
        embedding, _ = self.encode(np.zeros((64, 64, 3), np.uint8))
        self.decode(embedding, [Prompt.of_box(8, 8, 56, 56), Prompt.of_point(32, 32)])

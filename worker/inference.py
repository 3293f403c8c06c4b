"""The device's one thread: jobs are fetched and stored side by side, but the network answers one at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import numpy as np

from ovseg_core.errors import OvsegError
from ovseg_core.masks import Mask
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Embedding, Segmenter

T = TypeVar("T")

log = logging.getLogger(__name__)

# What OpenVINO and OpenCV, C++ and CUDA say. Paddle on a CPU raises MemoryError, as NumPy does.
OUT_OF_MEMORY = ("failed to allocate", "bad_alloc", "bad allocation", "insufficient memory", "out of memory")


class Inference:
    """Segmenters behind one thread, which Paddle's device and modes are bound to. Callable from any thread.

    Each call tells also how many milliseconds the network itself took, without the wait for its turn.
    """

    def __init__(self, device: str, engine: str, precision: str = "float32") -> None:
        self._device, self._engine, self._precision = device, engine, precision
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._segmenters: dict[str, Segmenter] = {}

    def encode(self, model: str, image_rgb: np.ndarray) -> tuple[Embedding, float]:
        return self._timed(model, lambda segmenter: segmenter.encode(image_rgb))

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> tuple[list[Mask], float]:
        return self._timed(embedding.model, lambda segmenter: _within_memory(segmenter, embedding, prompts))

    def warm_up(self, model: str) -> None:
        """Load a model and run it once: the first run of a network is slow, and should not be a caller's."""
        embedding, _ = self.encode(model, np.zeros((64, 64, 3), np.uint8))
        for prompt in (Prompt.of_box(8, 8, 56, 56), Prompt.of_point(32, 32)):
            with suppress(OvsegError):  # one of PaddleX's inference models knows one type of prompt
                self.decode(embedding, [prompt])

    def _timed(self, model: str, call: Callable[[Segmenter], T]) -> tuple[T, float]:
        def run() -> tuple[T, float]:
            segmenter = self._loaded(model)
            start = time.perf_counter()
            return call(segmenter), round((time.perf_counter() - start) * 1000, 2)

        return self._thread.submit(run).result()

    def _loaded(self, model: str) -> Segmenter:
        """In the inference thread only."""
        if model not in self._segmenters:
            self._segmenters[model] = segmenter = Segmenter.open(model, self._device, self._engine, self._precision)
            log.info("%s runs on %s (%s)", model, self._device, segmenter.engine)
        return self._segmenters[model]


def _within_memory(segmenter: Segmenter, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
    """Decode them all; where memory runs out, half a batch at a time, then half of that, down to one prompt."""
    masks: list[Mask] = []
    at_once = len(prompts)
    while len(masks) < len(prompts):
        try:
            masks += segmenter.decode(embedding, prompts[len(masks) : len(masks) + at_once])
        except Exception as error:
            if at_once == 1 or not is_out_of_memory(error):
                raise
            at_once = min(at_once, segmenter.spec.preset.prompts_per_batch) // 2
            log.warning("out of memory; going on with %d prompts at a time: %s", at_once, error)
    return masks


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is a want of memory, of the device or of the machine, that less work at a time may cure."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY)

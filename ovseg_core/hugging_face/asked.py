"""What a pipeline works on: an image with a task. It can be sent to another process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.task import Picture, Task


class Asked(NamedTuple):
    """An image (H, W, 3) uint8 RGB, and the task with the parameters for it."""

    task: Task
    pixels: np.ndarray


def answers(loaded: Loaded, batch: Sequence[Asked]) -> Iterator[Any]:
    """Yield the results for a batch of images, all with the same task; the segmenter encodes them in one run."""
    embeddings: Sequence[Any] = [None] * len(batch)
    if batch and not batch[0].task.is_detection:
        embeddings = loaded.segmenter.encode_batch([asked.pixels for asked in batch])
    for asked, embedding in zip(batch, embeddings, strict=True):
        yield asked.task.answer(loaded, Picture(asked.pixels, embedding))

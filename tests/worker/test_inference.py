"""The device's thread, with a segmenter whose memory is small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from ovseg_core import models
from ovseg_core.canvas import Frame
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Embedding, Segmenter
from worker.inference import Inference

EMBEDDING = Embedding("small", (np.zeros(1, np.float32),), Frame((64, 64), 64))
PROMPTS = [Prompt.of_point(x, 1) for x in range(50)]

# As they were met: Paddle, OpenVINO.
PADDLE = MemoryError("(ResourceExhausted) Fail to alloc memory of 4398046511104 size, error code is 12.")
OPENVINO = RuntimeError(
    "Exception from src/inference/src/cpp/infer_request.cpp:224: Failed to allocate 4398046511104 bytes of memory"
)


@dataclass
class SmallSegmenter:
    """Answers each prompt with itself, and no more than `room` at a time."""

    room: int
    error: Exception
    asked: list[int] = field(default_factory=list)
    spec: ModelSpec = field(default_factory=lambda: models.find("SAM-Lite"))

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Any]:
        self.asked.append(len(prompts))
        if len(prompts) > self.room:
            raise self.error
        return list(prompts)


def decode(segmenter: SmallSegmenter) -> list[Any]:
    inference = Inference("cpu", "auto")
    inference._segmenters["small"] = cast(Segmenter, segmenter)
    return cast(list[Any], inference.decode(EMBEDDING, PROMPTS)[0])


@pytest.mark.parametrize("error", [PADDLE, OPENVINO])
@pytest.mark.parametrize(("room", "sizes"), [(50, {50}), (8, {50, 8, 2}), (3, {50, 8, 4, 2}), (1, {50, 8, 4, 2, 1})])
def test_where_memory_runs_out_fewer_prompts_are_decoded_at_a_time(
    room: int, sizes: set[int], error: Exception
) -> None:
    segmenter = SmallSegmenter(room, error)
    assert decode(segmenter) == PROMPTS
    assert set(segmenter.asked) == sizes


def test_one_prompt_that_does_not_fit_is_given_up() -> None:
    with pytest.raises(MemoryError):
        decode(SmallSegmenter(0, PADDLE))


def test_any_other_error_is_not_tried_with_less() -> None:
    segmenter = SmallSegmenter(0, RuntimeError("a shape does not fit"))
    with pytest.raises(RuntimeError):
        decode(segmenter)
    assert segmenter.asked == [50]

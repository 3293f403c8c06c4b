"""Text prompts of the core: well formed, and restricted to a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ovseg_core import text_prompt
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.detections import Detections
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.prompts import Box
from ovseg_core.text_prompt import FoundBox, TextPrompt


def detections(*boxes: Box) -> Detections:
    """Return boxes of the first phrase, each with a lower score than the one before it."""
    count = len(boxes)
    scores = np.linspace(0.9, 0.5, count, dtype=np.float32)
    return Detections(np.array(boxes, np.float32).reshape(count, 4), scores, np.zeros(count, np.intp))


def boxes_in(box: Box | None, *boxes: Box, **options: Any) -> list[Box]:
    prompt = TextPrompt(("dog",), DetectionOptions(**options), box)
    return [found.box for found in text_prompt.best([detections(*boxes)], prompt)]


@pytest.mark.parametrize(
    ("phrases", "box", "code", "field"),
    [
        ((), None, "phrase_empty", "phrases"),
        (("dog", " \t"), None, "phrase_empty", "phrases[1]"),
        (("dog",), (5, 0, 5, 9), "invalid_prompt", "box"),
        (("dog",), (0, 0, float("inf"), 9), "invalid_prompt", "box"),
    ],
)
def test_a_text_prompt_that_is_not_well_formed_is_refused(
    phrases: tuple[str, ...], box: Box | None, code: str, field: str
) -> None:
    with pytest.raises(OvsegError) as caught:
        TextPrompt(phrases, box=box)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_an_object_is_inside_if_at_least_half_of_its_box_is() -> None:
    half, less, around = (5.0, 0.0, 15.0, 10.0), (5.1, 0.0, 15.1, 10.0), (0.0, 0.0, 30.0, 30.0)
    outside, inside = (20.0, 20.0, 30.0, 30.0), (1.0, 2.0, 3.0, 4.0)
    assert boxes_in((0, 0, 10, 10), half, less, around, outside, inside) == [half, inside]
    assert len(boxes_in(None, half, less, around, outside, inside)) == 5


def test_objects_outside_neither_count_as_objects_nor_suppress_one_inside() -> None:
    just_outside, inside = (0.0, 6.0, 10.0, 16.0), (0.0, 4.0, 10.0, 14.0)
    options = {"max_objects": 1, "nms_threshold": 0.5}
    assert boxes_in((0, 0, 10, 10), just_outside, inside, **options) == [inside]
    assert boxes_in(None, just_outside, inside, **options) == [just_outside]


def test_a_box_beyond_the_image_is_not_found() -> None:
    assert boxes_in(None, (10, 5, 10, 9), (0, 0, 0, 0)) == []


def test_boxes_of_all_passes_come_in_the_order_of_their_scores_with_the_callers_phrase() -> None:
    passes = [detections((0, 0, 5, 5), (0, 0, 6, 6)), detections((1, 1, 5, 5))._replace(phrases=np.array([2]))]
    found = text_prompt.best(passes, TextPrompt(("A dog", "cat", "Bus")))
    assert [(each.phrase, each.phrase_index, each.box) for each in found] == [
        ("A dog", 0, (0, 0, 5, 5)),
        ("Bus", 2, (1, 1, 5, 5)),
        ("A dog", 0, (0, 0, 6, 6)),
    ]
    assert isinstance(found[0], FoundBox)


def test_the_box_is_clipped_to_the_image_or_refused_outside_of_it() -> None:
    assert TextPrompt(("dog",), box=(-5, 2, 500, 8)).within((10, 20)).box == (0, 2, 20, 8)
    assert TextPrompt(("dog",)).within((10, 20)).box is None
    with pytest.raises(OvsegError) as caught:
        TextPrompt(("dog",), box=(30, 2, 50, 8)).within((10, 20))
    assert (caught.value.code, caught.value.field) == ("box_outside_image", "box")

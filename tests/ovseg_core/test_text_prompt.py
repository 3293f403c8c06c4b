"""Text prompts of the core: well formed, and restricted to a box."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ovseg_core import text_prompt
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.detections import Searched
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.prompts import Box
from ovseg_core.text_prompt import TextPrompt

IMAGE_HW = (50, 100)


def searched(*boxes: Box, phrases: tuple[int, ...] = (0,)) -> Searched:
    """Return boxes whose scores for all phrases are 0.9, 0.8 and so on."""
    x0, y0, x1, y1 = np.array(boxes, np.float32).reshape(-1, 4).T / [[100], [50], [100], [50]]
    scores = 0.9 - 0.1 * np.arange(len(boxes), dtype=np.float32)
    centres = np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], axis=1)
    return Searched(centres, np.tile(scores[:, None], len(phrases)), phrases, IMAGE_HW)


def boxes_in(box: Box | None, *boxes: Box, **options: Any) -> list[Box]:
    prompt = TextPrompt(("dog",), DetectionOptions(**options), box)
    return [rounded(found.box) for found in text_prompt.best([searched(*boxes)], prompt, ["dog"])]


def rounded(box: Box) -> Box:
    x0, y0, x1, y1 = (round(side, 3) for side in box)
    return x0, y0, x1, y1


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
    half, less, around = (4.9, 0.0, 14.9, 10.0), (5.1, 0.0, 15.1, 10.0), (0.0, 0.0, 30.0, 30.0)
    outside, inside = (20.0, 20.0, 30.0, 30.0), (1.0, 2.0, 3.0, 4.0)
    assert boxes_in((0, 0, 10, 10), half, less, around, outside, inside) == [half, inside]
    assert len(boxes_in(None, half, less, around, outside, inside)) == 5


def test_objects_outside_neither_count_as_objects_nor_suppress_one_inside() -> None:
    just_outside, inside = (0.0, 6.0, 10.0, 16.0), (0.0, 4.0, 10.0, 14.0)
    options = {"max_objects": 1, "nms_threshold": 0.5}
    assert boxes_in((0, 0, 10, 10), just_outside, inside, **options) == [inside]
    assert boxes_in(None, just_outside, inside, **options) == [just_outside]


def test_a_box_beyond_the_image_is_not_found() -> None:
    assert boxes_in(None, (10, 5, 10, 9), (0, 0, 0, 0), (110, 5, 120, 9)) == []


def test_boxes_of_all_passes_come_in_the_order_of_their_scores_with_the_callers_phrase() -> None:
    prompt = TextPrompt(("A dog", "cat", "Bus"))
    passes = [searched((0, 0, 5, 5), (0, 0, 6, 6)), searched((1, 1, 5, 5), phrases=(2,))]
    found = text_prompt.best(passes, prompt, prompt.phrases)
    assert [(each.phrase, each.phrase_index, rounded(each.box)) for each in found] == [
        ("A dog", 0, (0, 0, 5, 5)),
        ("Bus", 2, (1, 1, 5, 5)),
        ("A dog", 0, (0, 0, 6, 6)),
    ]


def test_prompts_that_share_passes_find_what_each_would_find_alone() -> None:
    prompts = [TextPrompt(("man", "cat")), TextPrompt(("person",)), TextPrompt(("cat", "cat"))]
    phrases = text_prompt.distinct(prompts)
    assert phrases == ("man", "cat", "person")
    scores = np.array([[0.28, 0.1, 0.9], [0.1, 0.5, 0.1]], np.float32)
    passes = [Searched(np.full((2, 4), 0.5, np.float32), scores, (0, 1, 2), IMAGE_HW)]
    found = [text_prompt.best(passes, prompt, phrases) for prompt in prompts]
    assert [[(each.phrase, each.phrase_index) for each in several] for several in found] == [
        [("cat", 1)],  # without the man: the score of "person" does not lift its box above the threshold of this prompt
        [("person", 0)],
        [("cat", 0), ("cat", 1)],
    ]


def test_the_box_is_clipped_to_the_image_or_refused_outside_of_it() -> None:
    assert TextPrompt(("dog",), box=(-5, 2, 500, 8)).within((10, 20)).box == (0, 2, 20, 8)
    assert TextPrompt(("dog",)).within((10, 20)).box is None
    with pytest.raises(OvsegError) as caught:
        TextPrompt(("dog",), box=(30, 2, 50, 8)).within((10, 20))
    assert (caught.value.code, caught.value.field) == ("box_outside_image", "box")

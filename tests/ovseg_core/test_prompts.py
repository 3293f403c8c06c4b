from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_core.errors import OvsegError
from ovseg_core.mask_prompt import MaskPrompt
from ovseg_core.prompts import Prompt, check_within

coordinate = st.floats(-1e6, 1e6)
size = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("given_", "field", "message"),
    [
        ({}, None, "give a box, or points"),
        ({"box": (3, 0, 1, 4)}, "box", "x1 (1) must be greater than x0 (3)"),
        ({"box": (0, 4, 1, 4)}, "box", "y1 (4) must be greater than y0 (4)"),
        ({"box": (0, 0, math.nan, 4)}, "box", "finite"),
        ({"box": (0, 0, math.inf, 4)}, "box", "finite"),
        ({"points": ((1, math.nan),), "labels": (1,)}, "points", "finite"),
        ({"points": ((1, 2),), "labels": ()}, "labels", "1 points but 0 labels"),
        ({"points": ((1, 2),), "labels": (2,)}, "labels", "1 (on the object) or 0"),
        ({"points": ((1, 2),), "labels": (0,)}, "labels", "at least one point needs label 1"),
    ],
)
def test_a_malformed_prompt_is_refused_with_its_field(given_: dict[str, Any], field: str | None, message: str) -> None:
    with pytest.raises(OvsegError) as caught:
        Prompt(**given_)
    assert caught.value.code == "invalid_prompt"
    assert caught.value.field == field
    assert message in caught.value.message


def test_the_kind_of_a_prompt_is_that_of_its_parts() -> None:
    points, mask = ((1.0, 1.0), (2.0, 2.0)), MaskPrompt((1, 1), "01")
    assert Prompt.of_box(0, 0, 4, 4).kind == "box"
    assert Prompt.of_point(1, 1).kind == "point"
    assert Prompt(points=points, labels=(1, 0)).kind == "points"
    assert Prompt((0, 0, 4, 4), points, (1, 0)).kind == "mixed"
    assert Prompt(mask=mask).kind == Prompt((0, 0, 4, 4), points, (1, 0), mask).kind == "mask"


def test_a_box_may_have_only_clicks_of_label_0() -> None:
    assert Prompt(box=(0, 0, 4, 4), points=((1, 1),), labels=(0,)).labels == (0,)


@given(coordinate, coordinate, coordinate, coordinate, size, size)
def test_a_box_is_clipped_to_the_image_or_refused_if_it_is_outside(
    x0: float, y0: float, x1: float, y1: float, h: int, w: int
) -> None:
    if x1 <= x0 or y1 <= y0:
        return
    overlaps = x0 < w and y0 < h and x1 > 0 and y1 > 0
    prompt = Prompt.of_box(x0, y0, x1, y1)
    if not overlaps:
        with pytest.raises(OvsegError, match="outside the image") as caught:
            prompt.within((h, w))
        assert caught.value.code == "box_outside_image"
        return
    clipped = prompt.within((h, w))
    assert clipped.box is not None
    assert 0 <= clipped.box[0] < clipped.box[2] <= w
    assert 0 <= clipped.box[1] < clipped.box[3] <= h
    assert clipped.within((h, w)) == clipped


@given(st.floats(-10, 110), st.floats(-10, 60))
def test_a_click_outside_the_image_is_refused_and_not_moved(x: float, y: float) -> None:
    prompt = Prompt.of_point(x, y)
    if 0 <= x <= 100 and 0 <= y <= 50:
        assert prompt.within((50, 100)) == prompt
    else:
        with pytest.raises(OvsegError) as caught:
            prompt.within((50, 100))
        assert (caught.value.code, caught.value.field) == ("point_outside_image", "points[0]")


def test_an_error_in_one_of_several_prompts_names_it() -> None:
    with pytest.raises(OvsegError) as caught:
        check_within([Prompt.of_point(1, 1), Prompt.of_box(20, 20, 30, 30)], (10, 10))
    assert caught.value.field == "prompts[1].box"


def test_to_dict_returns_what_the_prompt_was_made_from() -> None:
    prompt = Prompt(box=(1, 2, 3, 4), points=((5, 6), (7, 8)), labels=(1, 0))
    assert prompt.to_dict() == {"box": [1, 2, 3, 4], "points": [[5, 6], [7, 8]], "labels": [1, 0]}
    assert Prompt.of_point(1, 2).to_dict() == {"points": [[1, 2]], "labels": [1]}


def test_points_without_labels_have_label_1() -> None:
    assert Prompt.of(points=[[1, 2], [3, 4]]).labels == (1, 1)
    assert Prompt.of(points=[[1, 2], [3, 4]], labels=[1, 0]) == Prompt(points=((1, 2), (3, 4)), labels=(1, 0))
    assert Prompt.of(box=[1, 2, 3, 4]) == Prompt.of_box(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("rows", "field"),
    [({"box": [1, 2, 3]}, "box"), ({"box": [1, 2, 3, 4, 5]}, "box"), ({"points": [[1, 2], [3]]}, "points[1]")],
)
def test_a_row_of_the_wrong_length_is_refused_with_its_field(rows: dict[str, Any], field: str) -> None:
    with pytest.raises(OvsegError, match="; got ") as caught:
        Prompt.of(**rows)
    assert (caught.value.code, caught.value.field) == ("invalid_prompt", field)

"""Prompts of the library as arrays, tensors and scalars, as detectors and datasets return them; and invalid prompts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from ovseg_core.errors import OvsegError
from ovseg_core.paddlex.prompting import Given, of_rows
from ovseg_core.quiet_paddle import paddle

BOXES = [[140.0, 10.0, 304.0, 180.0], [340.0, 4.0, 462.0, 300.0]]  # each number is exact in bfloat16 and float16
POINTS = [[220.0, 90.0], [400.0, 120.0]]
MIXED: list[dict[str, Any]] = [{"box": BOXES[0], "points": POINTS, "labels": [1, 0]}, {"points": POINTS[:1]}]


def with_gradient(values: Any) -> paddle.Tensor:
    return paddle.to_tensor(values, dtype="float32", stop_gradient=False)


class Foreign:
    """A tensor without `tolist` that NumPy can read, like TensorFlow's."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)
        self.dtype, self.shape = self._values.dtype, self._values.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._values


WAYS: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda values: tuple(map(tuple, values)) if isinstance(values[0], list) else tuple(values),
    "float16": lambda values: np.array(values, np.float16),
    "bfloat16 of NumPy": lambda values: np.array(values, pytest.importorskip("ml_dtypes").bfloat16),
    "int64": lambda values: np.array(values, np.int64),
    "Paddle": paddle.to_tensor,
    "Paddle bfloat16": lambda values: paddle.to_tensor(values, dtype="bfloat16"),
    "Paddle float16": lambda values: paddle.to_tensor(values, dtype="float16"),
    "Paddle int64": lambda values: paddle.to_tensor(values, dtype="int64"),
    "Paddle with a gradient": with_gradient,
    "another library": Foreign,
}


def torch_way(values: Any) -> Any:
    torch = pytest.importorskip("torch")
    return torch.tensor(values, dtype=torch.bfloat16)


WAYS["torch bfloat16"] = torch_way


@pytest.mark.parametrize("way", WAYS)
def test_arrays_and_tensors_give_the_same_prompts_as_lists(way: str) -> None:
    made = WAYS[way]
    for kind, values in (("box", BOXES), ("point", POINTS)):
        wanted = Given.of({f"{kind}_prompt": values})
        for given in (made(values), [made(row) for row in values]):
            found = Given.of({f"{kind}_prompt": given})
            assert found == wanted
            assert json.loads(json.dumps(found.plain)) == wanted.plain
    mixed = [{key: made(value) for key, value in row.items()} for row in MIXED]
    assert Given.of({"mixed_prompt": mixed}).prompts == Given.of({"mixed_prompt": MIXED}).prompts


@pytest.mark.parametrize("number", [np.float32, np.int8, np.longdouble, paddle.to_tensor, lambda v: np.array(v)])
def test_scalars_of_a_library_give_the_same_prompts_as_numbers(number: Callable[[float], Any]) -> None:
    found = Given.of({"point_prompt": [[number(22), number(9)]]})
    assert found == Given.of({"point_prompt": [[22, 9]]})
    assert json.dumps(found.plain)
    objects = np.empty((1, 2), object)
    objects[0, 0], objects[0, 1] = number(22), number(9)
    assert Given.of({"point_prompt": objects}) == found


@pytest.mark.parametrize("made", [list, np.array, paddle.to_tensor])
def test_rows_per_image_are_distinguished_from_rows_for_all_images(made: Callable[[Any], Any]) -> None:
    assert of_rows("box", made(BOXES)) == {"box_prompt": BOXES}
    assert of_rows("box", made([BOXES, BOXES[::-1]])) == [{"box_prompt": BOXES}, {"box_prompt": BOXES[::-1]}]
    assert of_rows("box", [made(BOXES), made(BOXES[:1])]) == [{"box_prompt": BOXES}, {"box_prompt": BOXES[:1]}]


def test_an_image_without_prompts_may_be_the_first_of_several() -> None:
    assert of_rows("box", [[], BOXES]) == [{"box_prompt": []}, {"box_prompt": BOXES}]
    assert of_rows("mixed", [[], MIXED]) == [{"mixed_prompt": []}, {"mixed_prompt": MIXED}]
    assert of_rows("mixed", MIXED) == {"mixed_prompt": MIXED}
    assert of_rows("box", []) == {"box_prompt": []}


def test_a_label_may_be_a_boolean_or_a_float() -> None:
    given = {"points": POINTS, "labels": np.array([True, False])}
    assert Given.of({"mixed_prompt": [given, {**given, "labels": [1.0, 0.0]}]}).prompts == [
        prompt
        for prompt in Given.of({"mixed_prompt": [{"points": POINTS, "labels": [1, 0]}]}).prompts
        for _ in range(2)
    ]


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("prompts", "complaint"),
    [
        ({"box_prompt": paddle.to_tensor(3.0)}, "box_prompt must be a list or an array, not 3.0"),
        ({"box_prompt": paddle.to_tensor(BOXES[0])}, r"box_prompt\[0\] must be a list of numbers, not 140.0"),
        ({"box_prompt": np.ones((2, 1, 4))}, r"box_prompt\[0\]\[0\] must be a number, not \[1.0"),
        ({"box_prompt": [BOXES[0], [1, 2, 3]]}, r"box_prompt\[1\]: a box is four numbers, .*; got 3"),
        ({"box_prompt": ["1234"]}, r"box_prompt\[0\] must be a list of numbers, not '1234'"),
        ({"box_prompt": [["1", "2", "3", "4"]]}, r"box_prompt\[0\]\[0\] must be a number, not '1'"),
        ({"box_prompt": np.array([["1", "2", "3", "4"]])}, r"box_prompt\[0\]\[0\] must be a number, not '1'"),
        ({"box_prompt": [[True, 2, 3, 4]]}, "must be a number, not True"),
        ({"box_prompt": [[0, 0, 10**400, 4]]}, r"box_prompt\[0\]\[2\] must be a number: int too large"),
        ({"box_prompt": np.array([[0, 0, 4, 4j]])}, "must be a number, not 0j"),
        ({"box_prompt": None}, "box_prompt must be a list or an array, not None"),
        ({"box_prompt": [[0, 0, NAN, 4]]}, r"box_prompt\[0\]: coordinates must be finite numbers"),
        ({"point_prompt": paddle.to_tensor([[0, INFINITE]])}, r"point_prompt\[0\]: coordinates must be finite"),
        ({"point_prompt": np.array([[NAN, 1]], np.float16)}, "coordinates must be finite numbers"),
        (
            {"boxes": []},
            "the kind of prompts must be one of box_prompt, point_prompt, mixed_prompt, everything_prompt, text_prompt",
        ),
        ({"mixed_prompt": [BOXES[0]]}, r"mixed_prompt\[0\] must be a mapping of box, points, labels and mask"),
        ({"mixed_prompt": [{"box": BOXES[0], "label": [1]}]}, "must be a mapping of box, points, labels and mask"),
        ({"mixed_prompt": [{"points": paddle.to_tensor(3.0)}]}, r"mixed_prompt\[0\].points must be a list"),
        ({"mixed_prompt": [{"points": [[1, 2, 3]]}]}, r"mixed_prompt\[0\].points\[0\]: a point is two numbers, .* 3"),
        ({"mixed_prompt": [{"points": POINTS, "labels": ["1", "0"]}]}, "a label is 1"),
        ({"mixed_prompt": [{"points": POINTS, "labels": [1, 0.5]}]}, "a label is 1"),
        (paddle.to_tensor(BOXES), "prompts must be a mapping"),
        ("box_prompt", "prompts must be a mapping"),
        (7, "prompts must be a mapping"),
    ],
)
def test_an_invalid_prompt_is_refused_with_its_place(prompts: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises((ValueError, OvsegError), match=complaint):
        Given.of(prompts)

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from ovseg_core.errors import OvsegError
from ovseg_core.mask import Mask
from ovseg_core.mask_prompt import MaskPrompt
from ovseg_core.prompts import Prompt, check_within

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)).filter(np.any)


def decoded(mask: MaskPrompt) -> np.ndarray:
    pixels: np.ndarray = coco.decode({"size": list(mask.image_hw), "counts": mask.counts.encode()})
    return pixels.astype(bool)


@given(masks)
def test_a_mask_keeps_its_pixels_in_every_form(pixels: np.ndarray) -> None:
    height, width = pixels.shape
    rle = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
    forms: list[Any] = [
        pixels,
        pixels.astype(np.int8),
        rle,
        {"rle": {"size": [height, width], "counts": rle["counts"].decode()}},
        Mask.of_crop(pixels, (0, 0), (height, width), None),
    ]
    prompts = [Prompt.of(mask=form) for form in forms]
    assert len(set(prompts)) == 1
    assert prompts[0].mask is not None
    assert (decoded(prompts[0].mask) == pixels).all()
    written = json.loads(json.dumps(prompts[0].to_dict()))
    assert written == {"mask": {"rle": {"size": [height, width], "counts": rle["counts"].decode()}}}
    assert Prompt.of(mask=written["mask"]) == prompts[0]


@given(st.text(st.characters(min_codepoint=1, max_codepoint=200), max_size=12), st.integers(1, 9), st.integers(1, 9))
def test_every_string_is_refused_or_read_as_pycocotools_reads_it(counts: str, height: int, width: int) -> None:
    try:
        mask = MaskPrompt((height, width), counts)
    except OvsegError:
        return
    assert 0 < decoded(mask).sum() == coco.area({"size": [height, width], "counts": counts.encode()})


@pytest.mark.parametrize(
    ("given_", "field", "message"),
    [
        ({"size": [2, 2], "counts": "04", "more": 1}, "mask", "in COCO's compressed RLE"),
        ({"rle": "04"}, "mask", "in COCO's compressed RLE"),
        ({"size": [2], "counts": "04"}, "mask.rle.size", "[height, width]"),
        ({"size": 4, "counts": "04"}, "mask.rle.size", "[height, width]"),
        ({"size": [2, 0], "counts": "04"}, "mask.rle.size", "[height, width]"),
        ({"size": [2.0, 2.0], "counts": "04"}, "mask.rle.size", "[height, width]"),
        ({"size": [10**6, 10**6], "counts": "04"}, "mask.rle.size", "at most"),
        ({"size": [2, 2], "counts": [0, 4]}, "mask.rle.counts", "frPyObjects"),
        ({"size": [2, 3], "counts": "04"}, "mask.rle.counts", "4 pixels, and 2 x 3 (height x width) are 6"),
        ({"size": [2, 2], "counts": "0T"}, "mask.rle.counts", "its end is missing"),
        ({"size": [2, 2], "counts": "0é4"}, "mask.rle.counts", "not COCO's"),
        ({"size": [2, 2], "counts": "0~"}, "mask.rle.counts", "not COCO's"),
        ({"size": [2, 2], "counts": "0" + "o" * 99}, "mask.rle.counts", "not COCO's"),
        ({"size": [2, 2], "counts": "O5"}, "mask.rle.counts", "a run is negative"),
        ({"size": [2, 2], "counts": "4"}, "mask", "empty"),
        ({"size": [2, 2], "counts": ""}, "mask.rle.counts", "0 pixels"),
        (np.zeros((2, 2), bool), "mask", "empty"),
        (np.zeros((2, 2), np.float32), "mask", "not (2, 2) float32"),
        (np.ones((1, 2, 2), bool), "mask", "not (1, 2, 2) bool"),
    ],
)
def test_a_malformed_mask_is_refused_with_its_field(given_: Any, field: str, message: str) -> None:
    with pytest.raises(OvsegError) as caught:
        Prompt.of(mask=given_)
    assert (caught.value.code, caught.value.field) == ("invalid_prompt", field)
    assert message in caught.value.message


def test_a_mask_of_another_size_than_the_image_is_refused() -> None:
    prompt = Prompt.of(mask=np.ones((3, 4), bool))
    assert prompt.within((3, 4)) == prompt
    with pytest.raises(OvsegError, match="4 x 3 pixels, and this one has 3 x 4") as caught:
        check_within([Prompt.of_point(1, 1), prompt], (4, 3))
    assert (caught.value.code, caught.value.field) == ("mask_size_mismatch", "prompts[1].mask")


def test_with_a_mask_every_click_may_have_label_0() -> None:
    assert Prompt.of(points=[[1, 1]], labels=[0], mask=np.ones((3, 4), bool)).labels == (0,)

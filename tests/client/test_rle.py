"""Masks as arrays: what the client decodes with NumPy alone is what pycocotools decodes."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco

from ovseg_client import rle


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 1)))
def test_a_mask_is_decoded_as_pycocotools_encoded_it(mask: np.ndarray) -> None:
    counts = coco.encode(np.asfortranarray(mask))["counts"]
    decoded = rle.decode(counts.decode(), *mask.shape)
    assert decoded.dtype == np.bool_
    assert np.array_equal(decoded, mask)


@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=30))
def test_long_runs_are_decoded_as_pycocotools_decodes_them(runs: list[int]) -> None:
    height, width = max(1, sum(runs)), 1
    counts = coco.frPyObjects({"size": [height, width], "counts": runs if sum(runs) else [1]}, height, width)
    assert np.array_equal(rle.decode(counts["counts"], height, width), coco.decode(counts))


@given(st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=20), st.integers(1, 50), st.integers(1, 50))
def test_any_other_text_is_refused_or_is_a_mask_of_that_size(text: str, height: int, width: int) -> None:
    with contextlib.suppress(ValueError):
        assert rle.decode(text, height, width).shape == (height, width)


@pytest.mark.parametrize("text", ["", "o", "ooooooooooo0", "0`", "5"])
def test_an_rle_that_is_cut_or_of_another_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="RLE"):
        rle.decode(text, 10, 10)

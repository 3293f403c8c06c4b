from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ovseg_core import rle
from ovseg_core.masks import Mask

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(masks)
def test_a_mask_comes_back_from_its_rle(mask: np.ndarray) -> None:
    assert np.array_equal(rle.decode(rle.encode(mask), mask.shape), mask)


@given(masks, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_the_rle_of_a_crop_is_that_of_the_whole_frame(
    crop: np.ndarray, left: int, top: int, right: int, bottom: int
) -> None:
    h, w = crop.shape
    frame = np.zeros((top + h + bottom, left + w + right), bool)
    frame[top : top + h, left : left + w] = crop
    assert rle.encode_at(crop, (left, top), frame.shape) == rle.encode(frame)


@given(masks, st.integers(0, 5), st.integers(0, 5))
def test_a_mask_knows_its_frame_window_and_area(crop: np.ndarray, left: int, top: int) -> None:
    h, w = crop.shape
    frame = np.zeros((top + h + 3, left + w + 2), bool)
    frame[top : top + h, left : left + w] = crop
    mask = Mask.of_crop(crop, (left, top), frame.shape, 0.5)
    assert np.array_equal(mask.full(), frame)
    assert mask.counts == rle.encode(frame)
    assert mask.area == frame.sum()
    x0, y0, x1, y1 = mask.window
    assert np.array_equal(frame[y0:y1, x0:x1], mask.crop())
    if mask.area:
        ys, xs = np.nonzero(frame)
        assert mask.window == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)

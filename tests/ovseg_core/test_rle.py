"""Run-length encoding, compared with pycocotools on the whole image."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from ovseg_core import rle
from ovseg_core.mask import Mask

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
margins = st.tuples(*[st.integers(0, 5)] * 4)


def coco_counts(mask: np.ndarray) -> str:
    counts: bytes = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return counts.decode()


def framed(crop: np.ndarray, margin: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = margin
    return np.pad(crop, ((top, bottom), (left, right)))


@given(masks)
def test_a_mask_is_restored_from_its_borders(mask: np.ndarray) -> None:
    assert np.array_equal(rle.pixels(rle.borders(mask), mask.shape), mask)


@given(masks, margins)
def test_a_crop_that_is_placed_in_an_image_has_the_borders_and_counts_of_the_image(
    crop: np.ndarray, margin: tuple[int, int, int, int]
) -> None:
    frame = framed(crop, margin)
    borders = rle.placed(rle.borders(crop), crop.shape, margin[:2], frame.shape)
    assert np.array_equal(borders, rle.borders(frame))
    assert rle.compressed(borders, frame.shape) == coco_counts(frame)


@given(masks, margins)
def test_a_mask_has_the_box_area_and_counts_of_its_pixels(crop: np.ndarray, margin: tuple[int, int, int, int]) -> None:
    frame = framed(crop, margin)
    mask = Mask.of_crop(crop, margin[:2], frame.shape, 0.5)
    assert np.array_equal(mask.full(), frame)
    assert mask.counts == coco_counts(frame)
    assert mask.area == frame.sum()
    x0, y0, x1, y1 = mask.box_xyxy
    assert np.array_equal(frame[y0:y1, x0:x1], mask.crop())
    if mask.area:
        ys, xs = np.nonzero(frame)
        assert mask.box_xyxy == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


@given(masks, margins, st.integers(1, 5))
def test_borders_collected_in_bands_of_columns_make_the_same_mask(
    crop: np.ndarray, margin: tuple[int, int, int, int], width: int
) -> None:
    columns = np.ascontiguousarray(crop.T)
    borders = rle.Borders()
    for start in range(0, len(columns), width):
        borders.add(columns[start : start + width])
    assert np.array_equal(borders.all(), rle.borders(crop))
    frame_hw = framed(crop, margin).shape
    mask = Mask.of_borders(borders.all(), crop.shape, margin[:2], frame_hw, 0.5)
    expected = Mask.of_crop(crop, margin[:2], frame_hw, 0.5)
    assert mask.box_xyxy == expected.box_xyxy
    assert mask.area == expected.area
    assert np.array_equal(mask.borders, expected.borders)
    assert mask.counts == expected.counts


@given(masks, margins)
def test_a_mask_can_be_moved_into_a_larger_image(crop: np.ndarray, margin: tuple[int, int, int, int]) -> None:
    frame = framed(crop, margin)
    moved = Mask.of_crop(crop, (0, 0), crop.shape, 0.5).moved(margin[:2], frame.shape)
    assert np.array_equal(moved.full(), frame)
    assert moved.counts == coco_counts(frame)
    assert sum(moved.runs) == frame.size
    assert sum(moved.runs[1::2]) == frame.sum()

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_core import canvas, resample
from ovseg_core.canvas import Frame
from ovseg_core.prompts import Box

CANVAS, CELLS = 512, 128


def smooth_logits(seed: int, shift: float) -> np.ndarray:
    coarse = np.random.default_rng(seed).normal(shift, 2, (8, 8)).astype(np.float32)
    logits: np.ndarray = cv2.resize(coarse, (CELLS, CELLS), interpolation=cv2.INTER_CUBIC)
    return logits


def everywhere(logits: np.ndarray, region: Box, image_hw: tuple[int, int]) -> np.ndarray:
    """Return the bilinear logits at every pixel, computed one by one: slow but simple. NaN outside the region."""
    x0, y0, x1, y1 = region
    value = np.full(image_hw, np.nan)
    for y in range(image_hw[0]):
        for x in range(image_hw[1]):
            if not (x0 <= x + 0.5 <= x1 and y0 <= y + 0.5 <= y1):
                continue
            at_y = min(max((y + 0.5 - y0) * CELLS / (y1 - y0) - 0.5, 0), CELLS - 1)
            at_x = min(max((x + 0.5 - x0) * CELLS / (x1 - x0) - 0.5, 0), CELLS - 1)
            cy, cx = min(int(at_y), CELLS - 2), min(int(at_x), CELLS - 2)
            fy, fx = at_y - cy, at_x - cx
            top = logits[cy, cx] * (1 - fx) + logits[cy, cx + 1] * fx
            bottom = logits[cy + 1, cx] * (1 - fx) + logits[cy + 1, cx + 1] * fx
            value[y, x] = top * (1 - fy) + bottom * fy
    return value


@pytest.mark.parametrize("image_hw", [(300, 400), (700, 90), (1, 900), (512, 512)])
@pytest.mark.parametrize("shift", [-3.0, 0.0])
def test_via_the_canvas_a_mask_equals_that_of_sam_s_own_code(image_hw: tuple[int, int], shift: float) -> None:
    logits, frame = smooth_logits(3, shift), Frame(image_hw, CANVAS)
    height, width = frame.resized_hw
    on_canvas = cv2.resize(logits, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)[:height, :width]
    expected = cv2.resize(on_canvas, image_hw[::-1], interpolation=cv2.INTER_LINEAR)
    region = tuple(np.array([0, 0, CANVAS, CANVAS]) / np.tile(frame.scale_xy, 2))
    mask = resample.to_mask(logits, region, image_hw, 0.0, 0.9, via_canvas=frame)
    at_the_edge = np.abs(expected) < 1e-3
    assert (mask.full() == (expected > 0))[~at_the_edge].all()
    assert (expected > 0).any()


@given(
    st.integers(0, 1000),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.floats(-20, 30), st.floats(-20, 30)),
    st.tuples(st.floats(0.5, 60), st.floats(0.5, 60)),
    st.floats(-4, 1),
    st.sampled_from([0.0, -0.3, 1.0]),
)
def test_resizing_only_the_part_that_can_exceed_the_threshold_is_exact(
    seed: int,
    image_hw: tuple[int, int],
    corner: tuple[float, float],
    sides: tuple[float, float],
    shift: float,
    mask_threshold: float,
) -> None:
    region = (*corner, corner[0] + sides[0], corner[1] + sides[1])
    logits = smooth_logits(seed, shift)
    value = everywhere(logits, region, image_hw)
    mask = resample.to_mask(logits, region, image_hw, mask_threshold, 0.9)
    differs = mask.full() != (value > mask_threshold)
    at_the_edge = np.abs(value - mask_threshold) < 1e-3  # where float32 and float64 may differ
    assert not (differs & ~at_the_edge).any()


def test_a_mask_is_cut_off_at_clip_to() -> None:
    logits = np.full((CELLS, CELLS), 5, np.float32)
    mask = resample.to_mask(logits, (0, 0, 200, 200), (100, 200), 0, 0.9, clip_to=(10.5, 20, 50, 60.5))
    assert mask.box_xyxy == (10, 20, 50, 61)
    assert mask.area == 40 * 41


@pytest.mark.parametrize("clip_to", [None, (0, 0, 5, 5)])
def test_logits_below_the_threshold_give_an_empty_mask(clip_to: Box | None) -> None:
    mask = resample.to_mask(np.full((CELLS, CELLS), -1, np.float32), (0, 0, 10, 10), (10, 10), 0, 0.1, clip_to)
    assert (mask.area, mask.box_xyxy) == (0, (0, 0, 0, 0))
    assert not mask.full().any()


@pytest.mark.parametrize("image_hw", [(1, 1), (1, 4000), (3000, 2), (480, 640), (2000, 3000)])
def test_an_image_of_any_shape_is_at_the_top_left_of_its_canvas(image_hw: tuple[int, int]) -> None:
    frame = Frame(image_hw, CANVAS)
    drawn = canvas.draw(np.full((*image_hw, 3), 255, np.uint8), frame, (127,) * 3, (128,) * 3)
    height, width = frame.resized_hw
    assert max(height, width) == CANVAS
    assert min(height, width) >= 1
    assert (drawn[0, :, :height, :width] == 1).all()
    assert (drawn[0, :, height:] == 0).all()
    assert (drawn[0, :, :, width:] == 0).all()


@pytest.mark.parametrize("image_hw", [(1, 1), (1, 4000), (480, 640), (2000, 1500)])
def test_a_stretched_image_fills_its_canvas(image_hw: tuple[int, int]) -> None:
    frame = Frame(image_hw, CANVAS, is_stretched=True)
    ramp = np.linspace(0, 255, image_hw[1]).astype(np.uint8)
    drawn = canvas.draw(np.broadcast_to(ramp[:, None], (*image_hw, 3)), frame, (127,) * 3, (128,) * 3, "stretch")
    assert frame.resized_hw == (CANVAS, CANVAS)
    assert np.abs(drawn - drawn[:, :, :1]).max() < 1e-6
    assert np.abs(drawn[0, 0, 0] - (np.linspace(0, 255, CANVAS) - 127) / 128).max() < 0.02 or image_hw[1] == 1


@pytest.mark.parametrize("is_stretched", [False, True])
def test_a_spot_of_the_image_is_at_the_same_place_in_the_mask(is_stretched: bool) -> None:
    """The averaged canvas serves as the logits, so the mask is the bright spot of the image."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[100:140, 200:260] = 255
    frame = Frame((300, 400), CANVAS, is_stretched)
    drawn = canvas.draw(image, frame, (127,) * 3, (128,) * 3, "stretch" if is_stretched else "area")[0, 0]
    cells = drawn.reshape(CELLS, 4, CELLS, 4).mean(axis=(1, 3))
    mask = resample.to_mask(cells, (*(0, 0), *(CANVAS / frame.scale_xy)), (300, 400), 0.5, 1.0)
    assert np.abs(np.array(mask.box_xyxy) - (200, 100, 260, 140)).max() <= 2


@given(
    st.integers(0, 1000),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.floats(-4, 1),
    st.sampled_from([0.0, 1.0]),
    st.booleans(),
)
def test_a_mask_made_in_bands_equals_the_mask_and_its_counts_those_of_other_thresholds(
    seed: int, image_hw: tuple[int, int], shift: float, offset: float, is_via_canvas: bool
) -> None:
    logits, frame = smooth_logits(seed, shift), Frame(image_hw, CANVAS)
    region = tuple(np.array([0, 0, CANVAS, CANVAS]) / np.tile(frame.scale_xy, 2))
    via_canvas = frame if is_via_canvas else None
    others = [0.5 + offset, 0.5 - offset]
    mask, [above, below] = resample.to_mask_and_counts(logits, region, image_hw, 0.5, others, via_canvas)
    at_each = [
        resample.to_mask(logits, region, image_hw, 0.5 + difference, None, via_canvas=via_canvas)
        for difference in (0, offset, -offset)
    ]
    assert (mask.full() != at_each[0].full()).sum() <= 2  # a pixel within rounding of the threshold
    assert abs(above - at_each[1].area) <= 2
    assert abs(below - at_each[2].area) <= 2

"""Prompts and scores of the training, if torch is installed: clicks in errors of masks, and IoUs of whole things."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training import drafts, geometry, prompts  # noqa: E402
from training.prompts import GRID, MOST  # noqa: E402
from training.scenes import CLICKS, SIZE  # noqa: E402

CELL = SIZE / GRID


def rectangles(*boxes: tuple[int, int, int, int], side: int = GRID) -> Any:
    """Return masks that fill boxes, in cells."""
    masks = torch.zeros(len(boxes), side, side, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    return masks


def test_a_correction_is_in_the_larger_error_and_says_whether_it_is_missing() -> None:
    expected = rectangles((20, 20, 60, 60), (20, 20, 60, 60), (20, 20, 60, 60))
    found = rectangles((20, 20, 40, 60), (15, 20, 90, 60), (20, 20, 60, 60))
    for _ in range(20):
        points, labels = prompts.corrections(found, expected)
        assert labels.tolist() == [1, 0, 1]
        for (x, y), (low, high) in zip((points / CELL).tolist(), ((40, 60), (60, 90), (20, 60)), strict=True):
            assert low < x < high
            assert 20 < y < 60


def test_each_further_click_answers_the_mask_of_the_clicks_before_it() -> None:
    torch.manual_seed(0)
    n = 64
    expected = rectangles(*[(20, 20, 60, 60)] * n)
    positives, negatives = torch.full((n, CLICKS, 2), 40 * CELL), torch.full((n, CLICKS, 2), 5 * CELL)
    asked: list[int] = []

    def half(which: Any, points: Any, labels: Any) -> Any:
        assert points.shape == (len(which), MOST, 2)
        asked.extend((labels >= 0).sum(1).tolist())
        return rectangles(*[(20, 20, 40, 60)] * len(which))

    points, labels = prompts.clicks_alone(positives, negatives, expected, half)
    count = (labels >= 0).sum(1)
    assert count.min() == 1
    assert count.max() == MOST
    assert sorted(asked) == sorted(k for c in count.tolist() for k in range(1, c))
    several = count > 1
    assert 0.3 < several.float().mean() < 0.7
    in_error = (points[several, 1, 0] / CELL > 40.2) & (labels[several, 1] == 1)
    assert in_error.float().mean() > 0.5  # the others are anywhere


def test_boxes_have_few_clicks() -> None:
    torch.manual_seed(0)
    thing = torch.zeros(200, CLICKS, 2), torch.zeros(200, CLICKS, 2), rectangles(*[(20, 20, 60, 60)] * 200)
    _, labels = prompts.clicks_with_box(*thing, lambda which, *_: rectangles(*[(0, 0, 9, 9)] * len(which)))
    assert 0.5 < ((labels >= 0).sum(1) == 0).float().mean() < 0.8
    assert (labels >= 0).sum(1).max() == 2


def test_a_map_of_a_region_comes_back_from_the_canvas() -> None:
    masks = rectangles((100, 60, 180, 140), side=256).float()
    regions = geometry.region_of(torch.tensor([[200.0, 120.0, 360.0, 280.0]]))
    back = geometry.on_canvas(geometry.in_regions(masks, regions, 64), regions, 256) > 0.5
    assert ((back & (masks > 0.5)).sum() / (back | (masks > 0.5)).sum()) > 0.95


def test_the_iou_of_a_mask_counts_what_its_region_cuts_off_and_what_its_box_does() -> None:
    masks = rectangles((50, 50, 150, 150), side=256).float()  # in pixels: 100 to 300
    whole, half = torch.tensor([[90.0, 90.0, 310.0, 310.0]]), torch.tensor([[100.0, 100.0, 200.0, 300.0]])
    everywhere = torch.full((1, 64, 64), 5.0)
    assert drafts.iou_of(everywhere, half, masks).item() == pytest.approx(0.5, abs=0.02)
    assert drafts.iou_of(everywhere, whole, masks).item() == pytest.approx(200**2 / 220**2, abs=0.03)
    assert drafts.iou_of(everywhere, whole, masks, half).item() == pytest.approx(0.5, abs=0.03)
    outside = torch.tensor([[-100.0, 100.0, 300.0, 300.0]])  # what is found beyond the canvas does not count
    assert drafts.iou_of(everywhere, outside, masks).item() == pytest.approx(2 / 3, abs=0.03)


def test_a_thing_smaller_than_a_cell_fills_one() -> None:
    masks = torch.zeros(1, 256, 256)
    masks[0, 101, 30] = 1
    assert np.argwhere(drafts.cells_of(masks)[0].numpy()).tolist() == [[50, 15]]

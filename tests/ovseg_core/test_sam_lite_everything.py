"""Everything mode of the bundled model: it finds what a person sees in the bundled photo, and refines its masks."""

from __future__ import annotations

import numpy as np
import pytest

from ovseg_core import image
from ovseg_core.lite import regions
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from tests.support import pictures

# Boxes of things in the photo, in pixels.
THINGS = {
    "badge": (128, 345, 210, 420),
    "head": (170, 10, 295, 170),
    "collar": (120, 180, 300, 300),
    "name tag": (280, 350, 335, 400),
}
SIDE = 12  # clicks along each side: half of the default's time


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return image.decode(pictures.photo(), 10**8)


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_everything_mode_finds_the_main_objects_of_the_bundled_photo(photo: np.ndarray, precision: str) -> None:
    segmenter = Segmenter.open("SAM-Lite", precision=precision)
    embedding = segmenter.encode(photo)
    *_, last = segmenter.everything(None, embedding, points_per_side=SIDE)
    found = [answer.mask.full() for answer in last.answers[:100]]
    by_box = segmenter.decode(embedding, [Prompt(box=box) for box in THINGS.values()])
    for name, expected in zip(THINGS, (mask.full() for mask in by_box), strict=True):
        best = max((mask & expected).sum() / (mask | expected).sum() for mask in found)
        assert best > 0.4, f"{name}: {best:.2f}"  # 0.43 (collar) to 0.96 in float32 and in bfloat16


def test_masks_are_ordered_by_predicted_iou_times_stability(photo: np.ndarray) -> None:
    segmenter = Segmenter.open("SAM-Lite")
    *_, last = segmenter.everything(photo, points_per_side=4, stability_score_thresh=0.0)
    ranks = [proposal.predicted_iou * proposal.stability_score for proposal in last.chosen or ()]
    assert len(ranks) > 5
    assert ranks == sorted(ranks, reverse=True)
    by_iou = [proposal.predicted_iou for proposal in last.chosen or ()]
    assert by_iou != sorted(by_iou, reverse=True)


def test_masks_are_computed_a_second_time(photo: np.ndarray) -> None:
    segmenter = Segmenter.open("SAM-Lite")
    embedding = segmenter.encode(photo)
    options = {"points_per_side": 7, "pred_iou_thresh": 0.0, "box_nms_thresh": 1.0, "stability_score_thresh": 0.0}
    first, *refined, _ = segmenter.everything(None, embedding, **options)
    assert len(first.found) == 3 * 49
    assert len(first.found) > sum(len(step.found) for step in refined)  # what their region cuts off is dropped
    for proposal in refined[0].found[:4]:
        [candidates] = segmenter.candidates(embedding, [Prompt.of_point(*proposal.point)])
        scores = [mask.score or 0 for mask in candidates]
        assert min(abs(score - proposal.predicted_iou) for score in scores) < 1e-3  # that of the first answer
        assert proposal.mask.counts not in [mask.counts for mask in candidates]


def test_a_mask_keeps_its_place_on_the_canvas_when_its_region_changes() -> None:
    region, larger = np.array([40, 80, 104, 144], np.float32), np.array([24, 64, 152, 192], np.float32)
    square = np.zeros((64, 64), np.float32)
    square[16:32, 8:24] = 1  # 48 to 64 from the left of the canvas, and 96 to 112 from its top
    click = np.array([[50, 100]], np.float32)
    assert regions.box_in(square - 0.5, region, click).tolist() == [48, 96, 64, 112]
    moved = regions.moved(square, region, larger, 32)  # cells of 4 pixels
    expected = np.zeros((32, 32), np.float32)
    expected[8:12, 6:10] = 1
    assert np.abs(moved - expected).max() < 1e-6

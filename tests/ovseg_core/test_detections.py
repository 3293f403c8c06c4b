"""What surrounds the network of a detector: the image on its canvas, its levels, and the choice among the boxes."""

from __future__ import annotations

import numpy as np
import pytest

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import detections, levels, placement
from ovseg_core.grounding_dino.detections import Searched
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.grounding_dino.placement import Placement


def test_the_levels_of_an_image_end_where_its_padding_begins() -> None:
    grid = levels.of((64, 128), (40, 64), 64)
    assert levels.sizes((64, 128)) == [(8, 16), (4, 8), (2, 4), (1, 2)]
    finest = grid.is_image[:128].reshape(8, 16)
    assert finest[:5, :8].all()
    assert finest.sum() == 40
    assert grid.is_image[128:].reshape(-1).tolist() == [*[*[1] * 4, *[0] * 4] * 3, *[0] * 8, *[1, 1, 0, 0] * 2, 1, 0]
    assert grid.shares[0].tolist() == [0.5, 0.625]
    assert grid.references[0, 0] == pytest.approx([1 / 32, 1 / 16])  # the centre of the first position
    sides = 1 / (1 + np.exp(-grid.proposals[9 * 2]))
    assert sides == pytest.approx([0.3125, 0.3, 0.05, 0.05])  # the position (1, 2) of an image of 5 x 8 positions
    assert not grid.proposes[grid.is_image == 0].any()


@pytest.mark.parametrize(
    ("image_hw", "resized_hw", "canvas_hw"),
    [
        ((480, 640), (800, 1066), (800, 1088)),
        ((640, 480), (1066, 800), (1088, 800)),
        ((1080, 1920), (750, 1333), (800, 1344)),
        ((500, 500), (800, 800), (800, 1088)),
        ((2000, 1333), (1200, 800), (1344, 800)),
        ((1, 5000), (1, 1333), (800, 1344)),
        ((1, 1), (800, 800), (800, 1088)),
    ],
)
def test_an_image_is_scaled_as_in_the_training_and_put_on_the_smallest_canvas(
    image_hw: tuple[int, int], resized_hw: tuple[int, int], canvas_hw: tuple[int, int]
) -> None:
    assert Placement().resized_hw(image_hw) == resized_hw
    assert Placement().canvas_hw(resized_hw) == canvas_hw


def test_an_image_of_any_shape_fits_on_a_canvas() -> None:
    for shorter in range(1, 2000, 7):
        for longer in (shorter, shorter + 1, 2000, 40_000):
            for image_hw in ((shorter, longer), (longer, shorter)):
                Placement().canvas_hw(Placement().resized_hw(image_hw))


def test_pixels_are_normalised_and_the_rest_of_the_canvas_is_zero() -> None:
    image = np.full((10, 20, 3), (255, 0, 124), np.uint8)
    canvas = placement.drawn(image, (20, 40), (32, 64))
    assert canvas.shape == (1, 3, 32, 64)
    assert canvas[0, :, 19, 39] == pytest.approx([2.2489, -2.0357, 0.3568], abs=1e-4)
    assert not canvas[:, :, 20:].any()
    assert not canvas[:, :, :, 40:].any()


BOXES = np.array([[0.5, 0.5, 0.2, 0.4], [0.51, 0.5, 0.2, 0.4], [0.95, 0.1, 0.2, 0.4]], np.float32)


def searched(scores: np.ndarray, boxes: np.ndarray = BOXES) -> Searched:
    return Searched(boxes, scores, (0, 1), (100, 200))


def test_boxes_are_answered_in_pixels_of_the_image_for_each_phrase_that_fits() -> None:
    scores = np.array([[0.9, 0.26], [0.29, 0.2], [0.1, 0.31]], np.float32)
    found = detections.best([detections.found(searched(scores), DetectionOptions())], DetectionOptions())
    assert found.phrases.tolist() == [0, 1, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.31, 0.26])
    assert found.boxes_xyxy[0].tolist() == pytest.approx([80, 30, 120, 70])
    assert found.boxes_xyxy[1].tolist() == pytest.approx([170, 0, 200, 30])  # cut off at the image's edge


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(0, 0.9), (0, 0.8), (1, 0.7)]),
        ({"nms_threshold": 0.5}, [(0, 0.9), (1, 0.7)]),
        ({"nms_threshold": 0.5, "class_agnostic_nms": True}, [(0, 0.9)]),
        ({"nms_threshold": 0.95}, [(0, 0.9), (0, 0.8), (1, 0.7)]),
        ({"max_objects": 1}, [(0, 0.9)]),
        ({"box_threshold": 0.95}, []),
        ({"box_threshold": 0.95, "nms_threshold": 0.5}, []),
    ],
)
def test_overlapping_boxes_are_dropped_within_a_phrase_or_across_phrases(
    options: dict[str, float], expected: list[tuple[int, float]]
) -> None:
    scores = np.array([[0.9, 0], [0.8, 0], [0, 0.7]], np.float32)
    chosen = DetectionOptions(**options)  # type: ignore[arg-type]  # each is of its own type
    several = [detections.found(searched(scores, BOXES[[0, 1, 1]]), chosen)]
    found = detections.best(several, chosen)
    assert list(zip(found.phrases.tolist(), found.scores.round(3).tolist(), strict=True)) == [
        (phrase, pytest.approx(score, abs=1e-3)) for phrase, score in expected
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("box_threshold", 1.1),
        ("box_threshold", -0.1),
        ("text_threshold", float("nan")),
        ("text_threshold", None),
        ("text_threshold", True),
        ("nms_threshold", 2),
        ("max_objects", 0),
        ("max_objects", 1.5),
        ("max_objects", 10**9),
        ("class_agnostic_nms", 1),
    ],
)
def test_an_option_out_of_its_range_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(OvsegError) as caught:
        DetectionOptions(**{name: value})  # type: ignore[arg-type]  # that is the point
    assert (caught.value.code, caught.value.field) == ("invalid_options", name)

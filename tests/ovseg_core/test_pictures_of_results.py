"""Overlays, polygons and result documents."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools import mask as coco

from ovseg_core import answer, longest_sides, overlay, palette, png_file, polygons
from ovseg_core.answer import Answer
from ovseg_core.mask import Mask
from ovseg_core.outputs import Segmentation
from ovseg_core.paddlex import serving_result
from ovseg_core.prompts import Prompt
from tests.support import pictures


def ring() -> Mask:
    """Return a square of 20 x 20 pixels with a hole of 6 x 6, at (10, 5) in an image of 60 x 50 pixels."""
    crop = np.ones((20, 20), bool)
    crop[7:13, 7:13] = False
    return Mask.of_crop(crop, (10, 5), (50, 60), 0.9)


def of(photo: np.ndarray, masks: Sequence[Mask] = (), prompts: Sequence[Prompt] = ()) -> Segmentation:
    return Segmentation(photo.shape[:2], lambda: photo, one_each(masks, prompts), prompts)


def one_each(masks: Sequence[Mask], prompts: Sequence[Prompt]) -> list[Answer]:
    return answer.of(prompts, [[mask] for mask in masks])


def square(side: int) -> Mask:
    """Return a square at (10, 10) in an image of 60 x 50 pixels."""
    return Mask.of_crop(np.ones((side, side), bool), (10, 10), (50, 60), 0.9)


def test_an_overlay_tints_the_mask_and_nothing_else() -> None:
    photo = np.full((50, 60, 3), 120, np.uint8)
    prompts = [Prompt.of_point(55, 45)]
    picture = overlay.draw(photo, one_each([ring()], prompts), prompts)
    assert (photo == 120).all()  # the photo itself does not change
    assert tuple(picture[8, 14]) != (120, 120, 120)
    assert tuple(picture[15, 20]) == (120, 120, 120)  # the hole
    assert tuple(picture[40, 5]) == (120, 120, 120)
    assert picture[45, 55].min() == 255  # the plus of the click


def test_an_overlay_of_an_empty_mask_shows_only_the_photo_and_the_prompts() -> None:
    photo = np.full((50, 60, 3), 120, np.uint8)
    empty = Mask.of_crop(np.zeros((0, 0), bool), (0, 0), (50, 60), 0.0)
    prompts = [Prompt.of_box(20, 20, 40, 40)]
    picture = overlay.draw(photo, one_each([empty], prompts), prompts)
    assert (picture[30, 30] == 120).all()
    assert np.abs(picture[20, 30].astype(int) - palette.colour(0)).max() < 40  # the line is antialiased


def test_of_the_candidates_of_a_prompt_the_best_is_filled_and_the_others_are_outlined() -> None:
    photo, prompts = np.full((50, 60, 3), 120, np.uint8), [Prompt.of_point(50, 5), Prompt.of_point(12, 12)]
    answers = answer.of(prompts, [[], [square(10), square(20), square(30)]])
    picture = overlay.draw(photo, answers, prompts)
    assert (picture[15, 15] != 120).any()
    assert (picture[25, 25] == 120).all()
    for i, edge in [(1, 29), (2, 39)]:
        assert np.abs(picture[20, edge].astype(int) - palette.colour(i)).max() < 40  # the line is antialiased


def test_an_overlay_of_everything_fills_every_mask_and_draws_no_points() -> None:
    photo, point = np.full((50, 60, 3), 120, np.uint8), Prompt.of_point(12, 12)
    answers = [Answer(mask, point, 0, 0.98, is_of_everything=True) for mask in (square(10), square(30))]
    picture = overlay.draw(photo, answers, [])
    colours = [tuple(map(int, picture[at])) for at in [(12, 12), (16, 16), (30, 30)]]
    assert colours[0] == colours[1] != colours[2] != (120, 120, 120)


def test_in_everything_mode_a_pixel_has_only_the_colour_of_the_smallest_mask_over_it() -> None:
    photo = np.full((50, 60, 3), 120, np.uint8)
    squares = [Mask.of_crop(np.ones((side, side), bool), (4, 4), (50, 60), 0.9) for side in (12, 40, 24)]
    answers = [Answer(mask, Prompt.of_point(5, 5), 0, is_of_everything=True) for mask in squares]
    alone, below, between = (overlay.draw(photo, answers[:count], []) for count in (1, 2, 3))
    assert np.array_equal(alone[5:15, 5:15], between[5:15, 5:15])
    assert np.array_equal(below[5:15, 5:15], between[5:15, 5:15])
    assert len({tuple(between[at]) for at in [(10, 10), (22, 22), (38, 38), (47, 55)]}) == 4


def test_a_jpeg_overlay_has_red_and_blue_in_the_right_order() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert pictures.by_opencv(overlay.jpeg(of(red)))[8, 8, 0] > 240
    assert (red[..., 0] == 255).all()  # the photo itself does not change


def test_a_box_that_reaches_far_outside_is_drawn_where_it_crosses_the_picture() -> None:
    photo = np.full((50, 60, 3), 120, np.uint8)
    far = overlay.draw(photo, [], [Prompt.of_box(20, -1e300, 1e10, 2.0**31)])
    near = overlay.draw(photo, [], [Prompt.of_box(20, -40, 100, 90)])
    assert np.array_equal(far, near)
    assert (far[25, 20] != 120).any()
    assert (far[25, 40] == 120).all()


@pytest.mark.parametrize("hw", [(1, 1), (1, 70_000), (70_000, 1), (3, 65_500), (1, 1_100_000), (65_501, 2)])
def test_an_overlay_of_an_image_of_any_shape_can_be_written(hw: tuple[int, int]) -> None:
    photo = np.full((*hw, 3), (200, 100, 50), np.uint8)
    mask = Mask.of_crop(np.ones((1, 1), bool), (0, 0), hw, 0.9)
    prompts = [Prompt.of_box(-5, -5, hw[1] + 5, hw[0] + 5)]
    segmentation = of(photo, [mask], prompts)
    written = np.asarray(Image.open(io.BytesIO(overlay.png(segmentation))))
    assert np.array_equal(written, overlay.draw(photo, segmentation.answers, prompts))
    small = Image.open(io.BytesIO(overlay.jpeg(segmentation)))
    assert max(small.size) == min(max(hw), longest_sides.JPEG)
    assert png_file.of(np.zeros(hw, np.uint8)).startswith(b"\x89PNG")


def test_the_first_eight_colours_have_distinct_hues_and_24_colours_differ() -> None:
    hues = [colorsys.rgb_to_hls(*(v / 255 for v in palette.colour(i)))[0] for i in range(8)]
    gaps = [min(abs(a - b), 1 - abs(a - b)) for i, a in enumerate(hues) for b in hues[:i]]
    assert min(gaps) > 0.08
    assert len({palette.colour(i) for i in range(24)}) == 24


def test_polygons_keep_their_holes() -> None:
    [part] = polygons.of(ring())
    assert sorted(part["exterior"]) == [[10, 5], [10, 24], [29, 5], [29, 24]]
    assert len(part["holes"]) == 1


@given(hnp.arrays(bool, (12, 12)))
def test_every_ring_has_three_points(crop: np.ndarray) -> None:
    parts = polygons.of(Mask.of_crop(crop, (3, 4), (20, 20), 1.0))
    assert bool(parts) == crop.any()
    for part in parts:
        assert all(len(ring) >= 3 for ring in [part["exterior"], *part["holes"]])


def islands() -> Mask:
    """Return parts of 1, 100 and 400 - 36 - 1 pixels; the last one has holes of 36 pixels and of 1 pixel."""
    crop = np.zeros((20, 50), bool)
    crop[:, :20] = True
    crop[7:13, 7:13] = crop[2, 2] = False
    crop[5:15, 25:35] = crop[0, 45] = True
    return Mask.of_crop(crop, (10, 5), (50, 70), 0.9)


@pytest.mark.parametrize(
    ("min_area", "max_parts", "shapes"),
    [
        (0, None, {(10, 2), (35, 0), (55, 0)}),
        (2, None, {(10, 1), (35, 0)}),
        (100, None, {(10, 0), (35, 0)}),
        (101, None, {(10, 0)}),
        (364, None, set()),
        (0, 2, {(10, 2), (35, 0)}),
        (0, 1, {(10, 2)}),
        (2, 9, {(10, 1), (35, 0)}),
    ],
)
def test_small_parts_and_holes_are_left_out(min_area: int, max_parts: int | None, shapes: set[tuple[int, int]]) -> None:
    parts = polygons.of(islands(), min_area=min_area, max_parts=max_parts)
    assert {(min(x for x, _ in part["exterior"]), len(part["holes"])) for part in parts} == shapes
    kept = [part for part in polygons.of(islands()) if part["exterior"] in [other["exterior"] for other in parts]]
    assert [part["exterior"] for part in kept] == [part["exterior"] for part in parts]  # in the same order


def test_a_simplified_outline_has_fewer_points_and_moves_by_at_most_the_tolerance() -> None:
    y, x = np.mgrid[:200, :200]
    mask = Mask.of_crop(np.hypot(y - 100, x - 100) < 80, (0, 0), (200, 200), 0.9)
    [whole], [simple] = polygons.of(mask), polygons.of(mask, tolerance=2.0)
    assert 8 <= len(simple["exterior"]) < len(whole["exterior"]) / 5
    radii = np.hypot(*(np.array(simple["exterior"]).T - 100))
    assert np.abs(radii - 80).max() < 2
    assert polygons.of(mask, tolerance=0.0) == [whole]
    [tiny] = polygons.of(Mask.of_crop(np.ones((2, 2), bool), (0, 0), (9, 9), 0.9), tolerance=50.0)
    assert len(tiny["exterior"]) == 3


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_the_pixels_of_a_part_are_counted_exactly(crop: np.ndarray) -> None:
    mask = Mask.of_crop(crop, (0, 0), crop.shape, 1.0)
    areas = sorted(cv2.connectedComponentsWithStats(crop.astype(np.uint8), connectivity=8)[2][1:, 4].tolist())
    for area in {*areas, *(area + 1 for area in areas)}:
        assert len(polygons.of(mask, min_area=area)) == sum(each >= area for each in areas)


@given(hnp.arrays(bool, (12, 12)))
def test_the_polygons_of_a_mask_cover_it_and_its_holes_only(crop: np.ndarray) -> None:
    mask = Mask.of_crop(crop, (3, 4), (20, 20), 1.0)
    drawn = np.zeros((20, 20), np.uint8)
    for part in polygons.of(mask):
        rings = [np.array(part["exterior"], np.int32)]
        cv2.fillPoly(drawn, rings, 1)
    filled = drawn.astype(bool)
    assert not (mask.full() & ~filled).any()  # exteriors cover the mask and its holes
    extra = filled & ~mask.full()
    assert not extra.any() or any(part["holes"] for part in polygons.of(mask))


def test_a_result_has_the_format_of_paddlex() -> None:
    prompts = [Prompt.of_box(1, 2, 30, 40), Prompt.of_point(5, 6), Prompt(points=((1, 1), (2, 2)), labels=(1, 0))]
    document = serving_result.of(one_each([ring()] * 3, prompts), ["rle", "polygons"])
    assert [info["label"] for info in document["maskInfos"]] == ["box_prompt", "point_prompt", "points_prompt"]
    assert document["maskInfos"][0]["prompt"] == [1, 2, 30, 40]
    assert document["maskInfos"][1]["prompt"] == [5, 6]
    assert document["maskInfos"][2]["prompt"] == {"points": [[1, 1], [2, 2]], "labels": [1, 0]}
    assert document["maskInfos"][0] | {"prompt": None} == {
        "label": "box_prompt",
        "prompt": None,
        "score": 0.9,
        "box": [10, 5, 30, 25],
        "area": 364,
        "prompt_index": 0,
    }
    rle = document["masks"][0]
    decoded = coco.decode({"size": rle["size"], "counts": rle["rleResult"].encode()})
    assert np.array_equal(decoded.astype(bool), ring().full())
    assert len(document["polygons"]) == 3


def test_a_result_contains_only_the_requested_outputs() -> None:
    assert set(serving_result.of(one_each([ring()], [Prompt.of_point(1, 1)]), ["overlay"])) == {"maskInfos"}


def test_several_masks_of_a_prompt_and_of_everything_are_described_in_order() -> None:
    prompts = [Prompt.of_point(1, 1), Prompt.of_box(1, 2, 30, 40)]
    document = serving_result.of(answer.of(prompts, [[ring(), square(3)], [square(9)]]), ["rle"])
    found = [(info["label"], info["prompt_index"], info["area"]) for info in document["maskInfos"]]
    assert found == [("point_prompt", 0, 364), ("point_prompt", 0, 9), ("box_prompt", 1, 81)]
    assert len(document["masks"]) == 3
    everything = Answer(square(3), Prompt.of_point(12.5, 20), 0, 0.97, is_of_everything=True)
    assert serving_result.of([everything], [])["maskInfos"] == [
        {
            "label": "everything_prompt",
            "prompt": [12.5, 20],
            "score": 0.9,
            "box": [10, 10, 13, 13],
            "area": 9,
            "prompt_index": 0,
            "stability_score": 0.97,
        }
    ]
    assert serving_result.of([], ["rle", "polygons"]) == {"maskInfos": [], "masks": [], "polygons": []}

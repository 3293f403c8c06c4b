"""Everything mode with a network without weights. tests/parity/test_everything.py compares it with segment-anything."""

from __future__ import annotations

import threading
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from ovseg_core import AutomaticMaskGenerator, EverythingOptions, image, models
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.everything import crops, nms, proposals, small_regions
from ovseg_core.mask import Mask
from ovseg_core.segmenter import Segmenter
from tests.support import clicks, pictures

OPTIONS: dict[str, Any] = {"points_per_side": 5, "points_per_batch": 10, "stability_score_thresh": 0.75}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return image.decode(pictures.photo(), 10**8)[100:300, :260]


@pytest.fixture
def network() -> clicks.ClickNetwork:
    return clicks.ClickNetwork()


@pytest.fixture
def segmenter(network: clicks.ClickNetwork) -> Segmenter:
    return Segmenter(models.find("SAM-B"), network, "numpy")


def summary(segmenter: Segmenter, photo: np.ndarray, **options: Any) -> list[tuple[Any, ...]]:
    *_, last = segmenter.everything(photo, **{**OPTIONS, **options})
    return [(answer.mask.counts, answer.mask.score, answer.prompt.points) for answer in last.answers]


def test_steps_count_the_points_and_the_last_one_has_the_answers(segmenter: Segmenter, photo: np.ndarray) -> None:
    *steps, last = segmenter.everything(photo, **OPTIONS)
    assert [(step.points_done, step.points_total) for step in steps] == [(10, 25), (20, 25), (25, 25)]
    assert not any(step.is_last or step.answers for step in steps)
    assert last.is_last
    assert len(last.answers) > 3
    found = {id(proposal.mask) for step in steps for proposal in step.found}
    assert {id(answer.mask) for answer in last.answers} < found
    for answer in last.answers:
        assert answer.is_of_everything
        assert answer.prompt_index == 0
        assert answer.prompt.kind == "point"
        assert answer.mask.image_hw == photo.shape[:2]
        assert answer.stability_score is not None
        assert 0.75 <= answer.stability_score <= 1
    scores = [answer.mask.score or 0 for answer in last.answers]
    assert scores == sorted(scores, reverse=True)


def test_nothing_is_decoded_after_the_iterator_is_closed(
    segmenter: Segmenter, network: clicks.ClickNetwork, photo: np.ndarray
) -> None:
    steps = segmenter.everything(photo, **OPTIONS)
    assert network.decoded == 0
    next(steps)
    steps.close()
    assert network.decoded == 10
    assert list(steps) == []


def test_with_an_embedding_the_image_is_read_only_for_crops(segmenter: Segmenter, photo: np.ndarray) -> None:
    reads = []

    def read() -> np.ndarray:
        reads.append(1)
        return photo

    embedding = segmenter.encode(photo)
    *_, without = segmenter.everything(read, embedding, **OPTIONS)
    assert not reads
    *_, neither = segmenter.everything(None, embedding, **OPTIONS)
    *_, with_crops = segmenter.everything(read, embedding, crop_n_layers=1, **OPTIONS)
    assert len(reads) == 1
    plain = summary(segmenter, photo)
    assert [answer.mask.counts for answer in without.answers] == [counts for counts, *_ in plain]
    assert [answer.mask.counts for answer in neither.answers] == [counts for counts, *_ in plain]
    cropped = summary(segmenter, photo, crop_n_layers=1)
    assert [answer.mask.counts for answer in with_crops.answers] == [counts for counts, *_ in cropped]
    assert len(cropped) > len(plain)


def test_a_missing_image_and_an_embedding_of_another_image_are_refused(segmenter: Segmenter, photo: np.ndarray) -> None:
    embedding = segmenter.encode(photo)
    with pytest.raises(ValueError, match="needs the image"):
        next(segmenter.everything(None))
    with pytest.raises(ValueError, match="needs the image"):
        next(segmenter.everything(None, embedding, crop_n_layers=1))
    with pytest.raises(ValueError, match="embedding is of an image"):
        next(segmenter.everything(photo[:50], embedding))
    with pytest.raises(ValueError, match="embedding of SAM-H"):
        next(segmenter.everything(None, replace(embedding, model="SAM-H")))


@pytest.mark.parametrize("options", [{"pred_iou_thresh": 1.0}, {"stability_score_thresh": 1.0}, {"point_grids": [[]]}])
def test_there_may_be_no_masks(segmenter: Segmenter, photo: np.ndarray, options: dict[str, Any]) -> None:
    assert summary(segmenter, photo, **options, min_mask_region_area=9) == []


@pytest.mark.parametrize("image_hw", [(1, 1), (1, 300), (300, 1), (2, 9)])
def test_images_of_one_pixel_across_have_crops_too(segmenter: Segmenter, image_hw: tuple[int, int]) -> None:
    pixels = np.full((*image_hw, 3), 90, np.uint8)
    options: dict[str, Any] = {
        "crop_n_layers": 2,
        "pred_iou_thresh": 0.5,
        "stability_score_thresh": 0,
        "min_mask_region_area": 5,
    }
    *_, last = segmenter.everything(pixels, points_per_side=3, **options)
    assert last.answers
    assert all(answer.mask.full().shape == image_hw and answer.mask.area for answer in last.answers)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points_per_side", 0),
        ("points_per_side", 2.5),
        ("points_per_batch", True),
        ("pred_iou_thresh", 1.01),
        ("stability_score_offset", float("nan")),
        ("crop_n_layers", 5),
        ("crop_overlap_ratio", "0.3"),
        ("min_mask_region_area", -1),
        ("point_grids", [[[0.5, 1.1]]]),
        ("point_grids", [[["0.5", 0.5]]]),
        ("point_grids", [[[True, 0.5]]]),
        ("point_grids", [[[0.5, 0.5, 0.5]]]),
        ("point_grids", {"0": []}),
        ("point_grids", [[], []]),
        ("point_grids", np.array([[0.5, 0.5]])),
        ("points_per_side", None),
        ("points_per_sides", 3),
    ],
)
def test_a_wrong_option_is_named_before_anything_is_computed(
    segmenter: Segmenter, photo: np.ndarray, field: str, value: Any
) -> None:
    with pytest.raises(OvsegError) as caught:
        segmenter.everything(photo, **{field: value})
    assert (caught.value.code, caught.value.field) == ("invalid_options", field)
    with pytest.raises(OvsegError):
        AutomaticMaskGenerator(segmenter, **{field: value})


def test_the_generator_takes_grids_in_the_form_of_segment_anything(segmenter: Segmenter, photo: np.ndarray) -> None:
    grid = [(0.25, 0.5), (0.75, 0.5)]
    generator = AutomaticMaskGenerator(
        segmenter, points_per_side=None, point_grids=[np.array(grid)], stability_score_thresh=0.75
    )
    found = [tuple(record["point_coords"][0]) for record in generator.generate(photo)]
    assert set(found) <= {(65.0, 100.0), (195.0, 100.0)}
    listed = [points[0] for _, _, points in summary(segmenter, photo, point_grids=[grid])]
    assert found == listed != []


def test_a_model_without_predicted_iou_has_no_everything_mode(photo: np.ndarray) -> None:
    spec = replace(models.find("SAM-H_box"), falls_to=None)
    with pytest.raises(OvsegError, match="everything"):
        Segmenter(spec, clicks.ClickNetwork(), "numpy").everything(photo)


def test_the_point_count_is_the_number_of_decoded_points(
    segmenter: Segmenter, network: clicks.ClickNetwork, photo: np.ndarray
) -> None:
    options = EverythingOptions(points_per_side=7, crop_n_layers=2, crop_n_points_downscale_factor=2)
    assert options.point_count == 49 + 4 * 9 + 16 * 1
    assert options.encode_count == 21
    summary(segmenter, photo, points_per_side=7, crop_n_layers=2, crop_n_points_downscale_factor=2)
    assert network.decoded == options.point_count


@given(st.tuples(st.integers(1, 60), st.integers(1, 60)), st.floats(0, 0.9))
def test_the_crops_of_each_layer_cover_the_image(image_hw: tuple[int, int], overlap: float) -> None:
    options = EverythingOptions(points_per_side=1, crop_n_layers=2, crop_overlap_ratio=overlap)
    found = crops.of(image_hw, options)
    assert found[0].is_whole
    assert len(found) <= options.encode_count
    if min(image_hw) >= 16:  # a crop of a smaller image may have no pixels, and is left out
        assert len(found) == options.encode_count
    for layer in (found[1:5], found[5:]) if len(found) == 21 else ():
        covered = np.zeros((*image_hw, 1), bool)
        for crop in layer:
            crop.pixels(covered)[:] = True
            assert 0 < crop.area <= covered.size
            assert (crop.points < crop.pixels(covered).shape[1::-1]).all()
        assert covered.all()


def test_masks_that_a_crop_cuts_off_are_left_out_and_those_of_smaller_crops_come_first(
    segmenter: Segmenter, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = AutomaticMaskGenerator(segmenter, crop_n_layers=1, **OPTIONS)
    records = generator.generate(photo)
    crop_areas = [record["crop_box"][2] * record["crop_box"][3] for record in records]
    assert crop_areas == sorted(crop_areas)
    assert crop_areas[0] < crop_areas[-1] == photo.shape[0] * photo.shape[1]
    limits = (0, 0, photo.shape[1], photo.shape[0])
    for record in records:
        (x, y, width, height), (left, top, *crop_wh) = record["bbox"], record["crop_box"]
        box = np.array([x, y, x + width, y + height])
        crop = np.array([left, top, left + crop_wh[0], top + crop_wh[1]])
        assert not ((abs(box - crop) <= 20) & (abs(box - limits) > 20)).any()
    monkeypatch.setattr(proposals, "EDGE", -1)
    assert len(generator.generate(photo)) > len(records)


def test_threads_and_repetitions_find_the_same_masks(segmenter: Segmenter, photo: np.ndarray) -> None:
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(summary(segmenter, photo, crop_n_layers=1))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [summary(segmenter, photo, crop_n_layers=1)] * 4


@pytest.mark.parametrize("name", ["SAM-B", "SAM-Lite"])
def test_the_memory_does_not_grow_with_the_image(name: str, photo: np.ndarray) -> None:
    """An array of bool has 48 MB, one of float32 192 MB; RLE and a band of columns have a few."""
    segmenter = Segmenter(models.find(name), clicks.ClickNetwork(), "numpy")
    small = segmenter.encode(photo)
    huge = Embedding(small.model, small.features, Frame((6000, 8000), clicks.CANVAS))
    options: dict[str, Any] = {"pred_iou_thresh": 0, "stability_score_thresh": 0, "point_grids": [[(0.5, 0.5)]]}
    tracemalloc.start()
    try:
        *_, last = segmenter.everything(None, huge, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(answer.mask.area for answer in last.answers) > 5_000_000
    assert peak < 30_000_000


def test_the_output_modes_hold_the_same_masks(segmenter: Segmenter, photo: np.ndarray) -> None:
    binary, lists, strings = (
        AutomaticMaskGenerator(segmenter, output_mode=mode, **OPTIONS).generate(photo)
        for mode in ("binary_mask", "uncompressed_rle", "coco_rle")
    )
    assert binary
    for pixels, of_list, of_string in zip(binary, lists, strings, strict=True):
        mask = pixels["segmentation"]
        x, y, width, height = pixels["bbox"]
        assert mask.sum() == pixels["area"] == mask[y : y + height + 1, x : x + width + 1].sum()
        assert (coco.decode(of_string["segmentation"]) == mask).all()
        as_string = coco.frPyObjects(of_list["segmentation"], *mask.shape)["counts"].decode()
        assert as_string == of_string["segmentation"]["counts"]
        assert {key: pixels[key] for key in pixels if key != "segmentation"} == {
            key: of_string[key] for key in of_string if key != "segmentation"
        }
    with pytest.raises(OvsegError, match="allowed: binary_mask"):
        AutomaticMaskGenerator(segmenter, output_mode="png")  # type: ignore[arg-type]


coordinates = st.integers(0, 12)
boxes = st.tuples(coordinates, coordinates, coordinates, coordinates).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


@given(st.lists(st.tuples(boxes, st.integers(0, 5)), max_size=30), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_suppression_keeps_the_best_box_of_each_group(
    scored: list[tuple[tuple[int, int, int, int], int]], threshold: float
) -> None:
    def iou(a: tuple[int, ...], b: tuple[int, ...]) -> float:
        width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        common = max(width, 0) * max(height, 0)
        union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - common
        return float(np.float32(common) / np.float32(union)) if union else 0.0

    expected: list[int] = []
    for i in sorted(range(len(scored)), key=lambda i: -scored[i][1]):
        if all(iou(scored[i][0], scored[j][0]) <= threshold for j in expected):
            expected.append(i)
    array = np.array([box for box, _ in scored]).reshape(-1, 4)
    assert nms.kept(array, np.array([score for _, score in scored]), threshold).tolist() == expected


@given(st.integers(0, 10_000), st.tuples(st.integers(1, 14), st.integers(1, 14)), st.integers(1, 40))
def test_small_regions_are_found_in_the_mask_s_box_as_in_the_whole_image(
    seed: int, image_hw: tuple[int, int], min_area: int
) -> None:
    random = np.random.default_rng(seed)
    pixels = np.zeros(image_hw, bool)
    y, x = (int(random.integers(side)) for side in image_hw)
    part = pixels[y:, x:]
    part[:] = random.random(part.shape) < random.random()
    if not pixels.any():
        return
    cleaned = small_regions.removed(Mask.of_crop(pixels, (0, 0), image_hw, None), min_area)
    holes_and_islands = _filled(pixels, min_area)
    expected, changed = _without_islands(holes_and_islands, min_area)
    assert (cleaned is None) == (not changed and (holes_and_islands == pixels).all())
    assert ((pixels if cleaned is None else cleaned.full()) == expected).all()


def _regions(pixels: np.ndarray) -> list[np.ndarray]:
    """Return each connected region of the pixels (h, w) bool as a mask; diagonal neighbours are connected."""
    left, found = pixels.copy(), []
    while left.any():
        region = np.zeros_like(pixels)
        region.flat[np.flatnonzero(left)[0]] = True
        while True:
            padded = np.pad(region, 1)
            neighbours = [np.roll(padded, (dy, dx), (0, 1))[1:-1, 1:-1] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
            grown = np.any(neighbours, axis=0) & pixels
            if (grown == region).all():
                break
            region = grown
        found.append(region)
        left &= ~region
    return found


def _filled(pixels: np.ndarray, min_area: int) -> np.ndarray:
    holes = [region for region in _regions(~pixels) if region.sum() < min_area]
    filled: np.ndarray = np.any([pixels, *holes], axis=0)
    return filled


def _without_islands(pixels: np.ndarray, min_area: int) -> tuple[np.ndarray, bool]:
    regions = _regions(pixels)
    large = [region for region in regions if region.sum() >= min_area]
    kept = large or [max(regions, key=lambda region: region.sum())]
    return np.any(kept, axis=0), len(large) < len(regions)

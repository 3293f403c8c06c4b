"""Photos, scenes and evaluation on a small generated data set. `test_learning.py` has the training itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from training import agreement, evaluate, everything, photos, scenes
from training.photos import Photo

SIDES = (300, 400)
COCO_HELD_OUT, CCP_HELD_OUT = (
    next(name for name in photos.HELD_OUT.read_text().split() if name.startswith(source)) for source in ("coco", "ccp")
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright discs and rectangles on dark noise. A photo of each source is listed as held out, and one is not free."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    drawn = np.random.default_rng(1)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for source, held_out in (("coco", COCO_HELD_OUT), ("ccp", CCP_HELD_OUT)):
        for i in range(6):
            image_id = len(images) + 1
            pixels = drawn.integers(0, 60, (*SIDES, 3)).astype(np.uint8)
            for j, centre in enumerate(((100, 150), (280, 150))):
                mask = np.zeros(SIDES, np.uint8)
                size = int(drawn.integers(20, 70))
                if j:
                    cv2.circle(mask, centre, size, 1, -1)
                else:
                    cv2.rectangle(
                        mask, (centre[0] - size, centre[1] - size), (centre[0] + size, centre[1] + size), 1, -1
                    )
                pixels[mask > 0] = drawn.integers(120, 255, 3)
                rle = coco_mask.encode(np.asfortranarray(mask))
                note = {
                    "image_id": image_id,
                    "iscrowd": 0,
                    "kind": "thing",
                    "bbox": coco_mask.toBbox(rle).tolist(),
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                }
                annotations.append(note)
            name = f"{source}_{i:03}.jpg" if i else held_out
            cv2.imwrite(str(folder / "images" / name), pixels)
            licence = (
                "photo Flickr: Attribution-NonCommercial License" if i == 1 else "photo Flickr: Attribution License"
            )
            images.append({"id": image_id, "file_name": name, "source": source, "license": licence})
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder


def names(several: list[Photo]) -> list[str]:
    return [photo.name for photo in several]


def test_listed_photos_are_held_out_and_photos_that_are_not_free_are_not_trained_on(data: Path) -> None:
    parts = photos.split([data])
    assert set(names(parts.held_out)) == {COCO_HELD_OUT, CCP_HELD_OUT}
    assert names(parts.trial) == ["ccp_001.jpg", "coco_001.jpg"]
    assert len(parts.train) == 8
    assert not set(names(parts.train)) & {*names(parts.held_out), *names(parts.trial)}


def test_the_first_list_of_held_out_photos_is_in_the_list() -> None:
    listed = photos.HELD_OUT.read_text().split()
    assert len(listed) == len(set(listed))
    assert sum(name.startswith("coco_") for name in listed) == 80
    first = [name for name in listed if len(name) == len("coco_000000000009.jpg")]  # the first pack has COCO's names
    assert len(first) == 20


def test_a_tenth_of_a_user_s_folder_is_held_out_always_the_same(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    polygon = [[10, 10, 60, 10, 60, 40, 10, 40]]
    uncompressed = coco_mask.frPyObjects([[5, 5, 30, 5, 30, 30]], 50, 80)[0]
    images, labels = [], []
    for i in range(20):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.jpg"), np.full((50, 80, 3), 9 * i, np.uint8))
        images.append({"id": i, "file_name": f"{i}.jpg", "height": 50, "width": 80, "license": 3})
        rle = {"size": [50, 80], "counts": uncompressed["counts"].decode()}
        labels.append({"image_id": i, "category_id": 1, "segmentation": polygon if i % 2 else rle})
    (tmp_path / "annotations.json").write_text(json.dumps({"images": images, "annotations": labels}))
    parts, again = photos.split([tmp_path]), photos.split([tmp_path])
    assert (len(parts.train), len(parts.trial), len(parts.held_out)) == (18, 0, 2)
    assert names(parts.held_out) == names(again.held_out)
    by_name = {photo.name: photo for photo in [*parts.train, *parts.held_out]}
    assert by_name["1.jpg"].segments[0].mask()[10:40, 10:60].all()
    assert by_name["1.jpg"].segments[0].box == (10.0, 10.0, 50.0, 30.0)
    assert by_name["1.jpg"].pixels().shape == (50, 80, 3)
    assert scenes.Scenes(parts.train, [], slots=2, seed=0)[0].boxes.shape == (2, 4)


def test_a_scene_depends_on_its_number_alone(data: Path) -> None:
    several = scenes.Scenes(photos.split([data]).train, [], slots=4, seed=0)
    before = [several[number] for number in (3, 4)]
    assert several[3].image.tobytes() == before[0].image.tobytes()
    assert several[4].negatives.tobytes() == before[1].negatives.tobytes()
    assert before[0].image.tobytes() != before[1].image.tobytes()


def test_a_scene_s_boxes_and_clicks_fit_its_masks(data: Path) -> None:
    train = photos.split([data]).train
    sticker = np.dstack([np.full((40, 40, 3), 200, np.uint8), np.full((40, 40), 255, np.uint8)])
    seen = 0
    several = scenes.Scenes(train, [sticker], slots=4, seed=1)
    for scene in (several[number] for number in range(20)):
        assert scene.image.shape == (scenes.SIZE, scenes.SIZE, 3)
        assert scene.masks.shape[0] == scene.boxes.shape[0] == 4
        for mask, box, positives, negatives in zip(
            scene.masks, scene.boxes, scene.positives, scene.negatives, strict=True
        ):
            around = scenes.tight_box(cv2.resize(mask, (scenes.SIZE, scenes.SIZE)))
            assert np.abs(around - box).max() <= 3
            for x, y in positives / 2:
                assert mask[min(int(y), 255), min(int(x), 255)] > 60
            for x, y in negatives / 2:
                if x > 0:  # a thing that fills its box leaves no place for a negative click
                    seen += 1
                    assert mask[min(int(y), 255), min(int(x), 255)] < 200
    assert seen > 50


@pytest.fixture(scope="module")
def measured(data: Path) -> list[evaluate.Row]:
    from ovseg_core.segmenter import Segmenter

    coco = [photo for photo in photos.split([data]).train if photo.source == "coco"]
    return [*evaluate.rows(Segmenter.open("SAM-Lite"), coco), *evaluate.baseline_rows(coco)]


def test_evaluation_puts_the_model_and_the_baselines_into_one_table(measured: list[evaluate.Row]) -> None:
    table = evaluate.table(evaluate.cells_of(measured))
    lines = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in table.splitlines()}
    mean = {prompt: float(cells[0].split("±")[0]) for prompt, cells in list(lines.items())[2:]}
    assert mean["filled box"] > 0.85  # a disc fills 0.785 of its box, a rectangle all of it
    assert mean["box"] > mean["filled box"]
    assert mean["1 click, best of 3"] >= mean["1 click"]
    assert mean["GrabCut"] > 0.5
    assert float(lines["box"][-2].split("±")[0]) < mean["box"]  # the outline is harder than the area


def test_the_difference_of_a_model_to_itself_is_zero(measured: list[evaluate.Row]) -> None:
    table = evaluate.table(evaluate.differences(measured, measured), "+")
    assert {cell.strip() for line in table.splitlines()[2:] for cell in line.split("|")[2:-1]} <= {"+0.000 ± 0.000", ""}


def test_predicted_ious_are_compared_with_true_ones(measured: list[evaluate.Row]) -> None:
    exact = [replace(row, predicted=row.iou) for row in measured if row.prompt in evaluate.CALIBRATED]
    off = [replace(row, predicted=row.iou - 0.1) for row in exact]
    assert "box: predicted IoU is off by 0.000" in evaluate.calibrated(exact)
    assert "1 click: predicted IoU is off by 0.100" in evaluate.calibrated(off)


def test_everything_mode_finds_the_things_of_the_photos(data: Path) -> None:
    from ovseg_core.segmenter import Segmenter

    segmenter = Segmenter.open("SAM-Lite")
    found = [everything.measured(photo, segmenter, {"points_per_side": 6}) for photo in photos.split([data]).train[:2]]
    assert [len(photo.best(100)) for photo in found] == [2, 2]
    assert all((photo.best(100) > 0.8).all() and photo.cpu_s > 0 for photo in found)


def test_the_reports_have_two_models_side_by_side_and_the_recall_of_everything_mode(data: Path, tmp_path: Path) -> None:
    from ovseg_core import models
    from ovseg_core.segmenter import Segmenter

    report = tmp_path / "new" / "report.md"
    evaluate.evaluate([data], report, "float32", models.find("SAM-Lite").weights, on_trial=True)
    text = report.read_text()
    assert text.count("| box |") == 6  # of two groups: both models and their difference
    assert "| box | +0.000 ± 0.000 |" in text
    assert "| encode | " in text
    assert {path.name for path in report.parent.glob("*.svg")} == {"report-coco.svg", "report-ccp.svg"}
    segmenter = Segmenter.open("SAM-Lite")
    everything.evaluate([data], report, segmenter, {"points_per_side": [4, 6]}, count=1)
    assert report.read_text().count("| points_per_side 6 |") == 2


def test_a_precision_agrees_with_itself_and_its_times_follow(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agreement.evaluate([data], "float32", None, on_trial=False, count=1)
    printed = capsys.readouterr().out
    for prompt in ("box", *agreement.CLICKS):
        assert f"| {prompt} | 2 | 1.000 ± 0.000 | 0.000 |" in printed
    assert "| encode | " in printed


def test_masks_of_another_candidate_are_counted() -> None:
    rows = [agreement.Row("a", "1 click", 1.0, is_other=False), agreement.Row("a", "1 click", 0.25, is_other=True)]
    assert agreement.table(rows).splitlines()[-1] == "| 1 click | 2 | 0.625 ± 0.000 | 0.500 |"

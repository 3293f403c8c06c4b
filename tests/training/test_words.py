"""The measurement of text prompts, from phrases to masks, with a detector that is constructed to know two colours.

Boxes or masks that are swapped, mirrored, shifted or wrongly scaled have an average precision near 0 here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from ovseg_core import Segmenter
from ovseg_core.grounding_dino.detector import Detector
from tests.support import colour_worker
from tests.support.colour_worker import Cell, box
from training import words
from training.named_objects import NamedObjects, Photo
from training.words import Found

# Each photo: its size, and the objects' words by their cells.
PHOTOS: list[tuple[tuple[int, int], dict[Cell, str]]] = [
    ((150, 240), {(0, 0): "r", (2, 3): "g"}),
    ((240, 380), {(1, 4): "g", (2, 1): "r", (0, 2): "r"}),
    ((150, 240), {(1, 1): "r"}),
    ((240, 380), {}),
]
CATEGORIES = [{"id": 7, "name": "r", "frequency": "r"}, {"id": 3, "name": "g", "frequency": "f"}]
IDS = {category["name"]: category["id"] for category in CATEGORIES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of drawn photos, with polygons and RLE as masks."""
    to = tmp_path_factory.mktemp("words")
    (to / "images").mkdir()
    images: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for i, (image_hw, objects) in enumerate(PHOTOS):
        height, width = image_hw
        for cell, word in objects.items():
            x0, y0, x1, y1 = box(cell, image_hw)
            mask = np.zeros(image_hw, np.uint8, order="F")
            mask[y0:y1, x0:x1] = 1
            encoded = coco_mask.encode(mask)
            polygon = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            label = {"id": len(labels) + 1, "image_id": i, "category_id": IDS[word], "area": int(mask.sum())}
            label |= {"bbox": [x0, y0, x1 - x0, y1 - y0]}
            as_rle = {"size": list(image_hw), "counts": encoded["counts"].decode()}
            labels.append(label | {"segmentation": as_rle if len(labels) % 2 else polygon})
        cv2.imwrite(str(to / "images" / f"{i}.png"), colour_worker.scene(objects, image_hw)[..., ::-1])
        images.append({"id": i, "file_name": f"{i}.png", "height": height, "width": width})
    write(to, images, labels)
    return to


def write(folder: Path, images: list[dict[str, Any]], labels: list[dict[str, Any]]) -> None:
    given = {"images": images, "annotations": labels, "categories": CATEGORIES}
    (folder / "annotations.json").write_text(json.dumps(given))


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A detector whose only boxes are those of the cells."""
    return colour_worker.made(tmp_path_factory.mktemp("detector"))


def table(report: str, number: int) -> list[dict[str, str]]:
    """Return the rows of a table of the report, by its columns."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in report.split("\n\n")[number].splitlines()
    ]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def test_phrases_find_the_boxes_and_masks_of_a_drawn_data_set(folder: Path, detector: Detector) -> None:
    report = folder / "report" / "words.md"
    words.evaluate(folder, report, detector, Segmenter.open("SAM-Lite"), None)
    boxes, masks = table(report.read_text(), 1)
    assert float(boxes["AP50"]) == 100
    assert float(boxes["AP"]) > 95
    assert float(masks["AP50"]) == 100
    assert float(masks["AP"]) > 80
    assert (float(boxes["AP rare"]), float(boxes["AP frequent"])) == pytest.approx((100, 100), abs=5)
    assert boxes["AP common"] == ""
    at = {row["score above"]: row for row in table(report.read_text(), 2)}
    names = ("present names answered, %", "false: absent names answered, %")
    assert tuple(at["0.5"][name] for name in names) == ("100.0", "0.0")
    [times] = table(report.read_text(), 3)
    assert times.keys() >= {"image, detector", "2 names", "image, model of masks", "30 masks"}
    assert all(float(times[step]) > 0 for step in list(times)[1:])


def results() -> list[dict[str, Any]]:
    """Return the labelled objects as if they were found, each with a score of its own."""
    return [
        {"image_id": i, "category_id": IDS[word], "score": 0.9 - 0.1 * i, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for i, (image_hw, objects) in enumerate(PHOTOS)
        for cell, word in objects.items()
        for x0, y0, x1, y1 in [box(cell, image_hw)]
    ]


def of_boxes(labels: NamedObjects, found: list[dict[str, Any]]) -> float | None:
    return labels.precision(found, labels.photos, "bbox").rows()["AP"]


def test_the_labelled_boxes_have_full_precision_and_wrong_ones_have_none(folder: Path) -> None:
    labels = NamedObjects(folder)
    found = results()
    assert of_boxes(labels, found) == pytest.approx(1)
    assert of_boxes(labels, []) == 0
    sizes = [PHOTOS[each["image_id"]][0] for each in found]
    wrong = {
        "x and y are swapped": [[y, x, h, w] for x, y, w, h in (each["bbox"] for each in found)],
        "centres instead of corners": [[x + w / 2, y + h / 2, w, h] for x, y, w, h in (each["bbox"] for each in found)],
        "the other image's scale": [[1.6 * side for side in each["bbox"]] for each in found],
        "upside down": [
            [x, height - y - h, w, h]
            for (x, y, w, h), (height, _) in zip((each["bbox"] for each in found), sizes, strict=True)
        ],
    }
    for name, boxes in wrong.items():
        as_found = [each | {"bbox": moved} for each, moved in zip(found, boxes, strict=True)]
        precision = of_boxes(labels, as_found)
        assert precision is not None
        assert precision < (0.6 if name == "upside down" else 0.2), name  # objects in the middle stay where they are
    other = {7: 3, 3: 7}
    assert of_boxes(labels, [each | {"category_id": other[each["category_id"]]} for each in found]) == 0


def test_in_lvis_only_names_with_a_verdict_count(tmp_path: Path, folder: Path) -> None:
    given = json.loads((folder / "annotations.json").read_text())
    images, labels = given["images"], given["annotations"]
    for label in labels:
        del label["area"]
    for image in images:
        image["coco_url"] = f"http://images.example/val2017/{image.pop('file_name')}"
        image["neg_category_ids"] = []
    write(tmp_path, images, labels)
    lvis = NamedObjects(tmp_path)
    assert [(set(photo.present), set(photo.absent)) for photo in lvis.photos] == [
        ({3, 7}, set()),
        ({3, 7}, set()),
        ({7}, set()),
        (set(), set()),
    ]
    assert lvis.photos[1].path == tmp_path / "images" / "1.png"
    found = results()
    unknown = {"image_id": 3, "category_id": 7, "score": 1.0, "bbox": [0, 0, 50, 50]}
    assert of_boxes(lvis, [*found, unknown]) == pytest.approx(1)
    unlabelled = unknown | {"image_id": 2}
    assert of_boxes(lvis, [*found, unlabelled]) != pytest.approx(1)
    images[2]["not_exhaustive_category_ids"] = [7]
    write(tmp_path, images, labels)
    assert of_boxes(NamedObjects(tmp_path), [*found, unlabelled]) == pytest.approx(1)


def test_rare_and_frequent_names_have_their_own_precision(folder: Path) -> None:
    labels = NamedObjects(folder)
    only_frequent = [each for each in results() if each["category_id"] == IDS["g"]]
    rows = labels.precision(only_frequent, labels.photos, "bbox").rows()
    assert (rows["AP rare"], rows["AP common"]) == (0, None)
    assert rows["AP frequent"] == pytest.approx(1)
    assert rows["AP"] == pytest.approx(0.5)


def test_an_answer_to_an_absent_name_is_false_above_its_score() -> None:
    photo = Photo(1, Path("a.png"), present=frozenset({7}), absent=frozenset({3, 4}), not_exhaustive=frozenset())
    found = Found(photo, np.array([7, 3]), np.zeros((2, 4)), np.array([0.45, 0.33]), [], {})
    lines = [line.strip("| ").split(" | ") for line in words.answers([found]).splitlines()[2:]]
    assert lines == [
        ["0.2", "100.0", "50.0"],
        ["0.25", "100.0", "50.0"],
        ["0.3", "100.0", "50.0"],
        ["0.35", "100.0", "0.0"],
        ["0.4", "100.0", "0.0"],
        ["0.5", "0.0", "0.0"],
    ]


@pytest.mark.parametrize("given", ["{}", '{"images": [{}], "annotations": [], "categories": [{}]}'])
def test_annotations_without_labels_are_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "annotations.json").write_text(given)
    with pytest.raises(ValueError, match=r"annotations\.json has no .*annotations"):
        NamedObjects(tmp_path)

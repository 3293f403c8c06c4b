"""`pipeline` of transformers: its tasks and their results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import OvsegError, Prompt, Segmenter, pipeline
from ovseg_core.hugging_face.task_pipeline import TaskPipeline
from tests.support.paddlex_detector import are_at, image_bgr
from tests.support.promptable_results import BOX, array, same


def test_mask_generation_returns_the_masks_of_everything_mode(segmenter: Segmenter, rgb: np.ndarray) -> None:
    generator = pipeline(task="mask-generation", model=segmenter, points_per_crop=4)
    found = generator(rgb, crops_nms_thresh=0.5, output_rle_mask=True, output_bboxes_mask=True)
    options: dict[str, Any] = {"points_per_side": 4, "box_nms_thresh": 0.5, "crop_nms_thresh": 0.5}
    *_, last = segmenter.everything(rgb, **options)
    expected = sorted(last.chosen or (), key=lambda proposal: -proposal.predicted_iou)
    assert list(found) == ["masks", "scores", "rle_mask", "bounding_boxes"]
    assert len(expected) > 3
    assert found["scores"].tolist() == pytest.approx([proposal.predicted_iou for proposal in expected])
    assert (found["scores"].dtype, found["bounding_boxes"].dtype) == (np.float32, np.int64)
    for mask, rle, box, proposal in zip(*(found[key] for key in list(found) if key != "scores"), expected, strict=True):
        assert mask.dtype == bool
        assert np.array_equal(mask, proposal.mask.full())
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max(), rows.max()]
        assert rle["size"] == list(mask.shape)
        inside = np.arange(len(rle["counts"])) % 2 == 1
        assert np.array_equal(np.repeat(inside, rle["counts"]).reshape(mask.shape, order="F"), mask)
    assert list(generator(rgb)) == ["masks", "scores"]


def test_a_higher_mask_threshold_makes_smaller_masks(segmenter: Segmenter, rgb: np.ndarray) -> None:
    generator = pipeline("mask-generation", segmenter, points_per_crop=3, stability_score_thresh=0, crops_nms_thresh=1)
    usual, small = (sum(mask.sum() for mask in generator(rgb, mask_threshold=t)["masks"]) for t in (None, 3.0))
    assert 0 < small < usual


def test_promptable_segmentation_returns_a_mask_for_each_prompt(
    segmenter: Segmenter, promptable: TaskPipeline, rgb: np.ndarray
) -> None:
    found = promptable(rgb, boxes=np.array([BOX, [10, 10, 60, 90]]))
    prompts = [Prompt.of(box=BOX), Prompt.of(box=[10, 10, 60, 90])]
    for row, mask in zip(found, segmenter.decode(segmenter.encode(rgb), prompts), strict=True):
        assert list(row) == ["score", "label", "mask", "box", "prompt_index"]
        assert (row["score"], row["label"]) == (mask.score, "box")
        assert tuple(row["box"].values()) == mask.box_xyxy
        assert (row["mask"].mode, row["mask"].size) == ("L", rgb.shape[1::-1])
        assert np.array_equal(np.asarray(row["mask"]) == 255, mask.full())
    assert [row["prompt_index"] for row in found] == [0, 1]


@pytest.mark.parametrize(
    ("given", "prompts"),
    [
        ({"points": [[150, 100], [200, 50]]}, [Prompt.of_point(150, 100), Prompt.of_point(200, 50)]),
        (
            {"points": [[[150, 100], [20, 20]]], "labels": [[1, 0]]},
            [Prompt.of(points=[(150, 100), (20, 20)], labels=[1, 0])],
        ),
        (
            {"points": [[150, 100]], "labels": [0], "boxes": [BOX]},
            [Prompt.of(BOX, [(150, 100)], [0])],
        ),
        ({"prompts": [{"box": BOX}, {"points": [[150, 100]]}]}, [Prompt.of(BOX), Prompt.of_point(150, 100)]),
    ],
)
def test_prompts_of_all_kinds_are_those_of_the_segmenter(
    segmenter: Segmenter, promptable: TaskPipeline, rgb: np.ndarray, given: dict[str, Any], prompts: list[Prompt]
) -> None:
    expected = segmenter.decode(segmenter.encode(rgb), prompts)
    found = promptable(rgb, **given)
    assert [row["label"] for row in found] == [prompt.kind for prompt in prompts]
    for i, mask in enumerate(expected):
        assert np.array_equal(array(found, i) == 255, mask.full())


def test_an_earlier_mask_and_several_candidates(promptable: TaskPipeline, rgb: np.ndarray) -> None:
    earlier = promptable(rgb, boxes=[BOX])
    [refined] = promptable(rgb, masks=[array(earlier) > 0], points=[[200, 150]])
    assert refined["label"] == "mask"
    assert same([refined], promptable(rgb, masks=[earlier[0]["mask"]], points=[[200, 150]]))
    several = promptable(rgb, points=[[150, 100], [200, 50]], multimask_output=True)
    assert [row["prompt_index"] for row in several] == [0, 0, 0, 1, 1, 1]
    assert several[0]["score"] >= several[1]["score"] >= several[2]["score"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs to know what to segment"),
        ({"boxes": [BOX], "points": [[1, 1], [2, 2]]}, "not 1 boxes and 2 points"),
        ({"boxes": [BOX], "prompts": [{"box": BOX}]}, "give prompts or boxes, not both"),
        ({"boxes": [BOX], "text": "r"}, "text cannot be combined"),
        ({"boxes": [[5, 5, 1, 1]]}, r"prompts\[0\]\.box: x1"),
    ],
)
def test_wrong_prompts_are_refused(
    promptable: TaskPipeline, rgb: np.ndarray, given: dict[str, Any], message: str
) -> None:
    with pytest.raises((ValueError, OvsegError), match=message):
        promptable(rgb, **given)


@pytest.mark.usefixtures("installed")
def test_zero_shot_object_detection_finds_the_objects_of_labels() -> None:
    detect = pipeline(model="IDEA-Research/grounding-dino-tiny", device="cpu")
    picture = Image.fromarray(image_bgr()[:, :, ::-1])
    assert detect.task == "zero-shot-object-detection"
    found = detect(picture, candidate_labels=["g.", "r."], threshold=0.55)
    scores = [row["score"] for row in found]
    assert scores == sorted(scores, reverse=True)
    for label in ("g.", "r."):
        boxes = [list(row["box"].values()) for row in found if row["label"] == label]
        assert are_at(boxes, label[0])
    assert all(list(row) == ["score", "label", "box"] and type(row["box"]["xmin"]) is int for row in found)
    assert detect(picture, "g. , r.", threshold=0.55) == found
    assert detect(picture, "g. , r.", threshold=0.55, top_k=2) == found[:2]
    alone = [row for row in found if row["label"] == "g."]
    assert detect({"image": picture, "candidate_labels": ["g."]}, threshold=0.55) == alone
    assert detect([picture, picture], candidate_labels=[["g."], ["g.", "r."]], threshold=0.55) == [alone, found]


@pytest.mark.usefixtures("installed")
def test_text_becomes_labelled_masks(segmenter: Segmenter) -> None:
    picture = image_bgr()[:, :, ::-1]
    labels = ["g", "r"]
    found = pipeline("image-segmentation", segmenter)(picture, candidate_labels=labels, threshold=0.55)
    assert {row["label"] for row in found} == set(labels)
    assert all(list(row) == ["score", "label", "mask"] and row["mask"].mode == "L" for row in found)
    prompted = pipeline("promptable-segmentation", segmenter, box_threshold=0.55)(picture, text=labels)
    assert [row["box_score"] for row in prompted] == [row["score"] for row in found]
    assert all(np.array_equal(array(found, i), array(prompted, i)) for i in range(len(found)))
    assert {(row["label"], row["prompt_index"]) for row in prompted} == {("g", 0), ("r", 1)}


@pytest.mark.usefixtures("installed")
def test_subtasks_join_or_separate_the_masks(segmenter: Segmenter) -> None:
    segment = pipeline("image-segmentation", segmenter, candidate_labels="g, r", threshold=0.55)
    picture = image_bgr()[:, :, ::-1]
    instances, semantic, panoptic = (segment(picture, subtask=name) for name in ("instance", "semantic", "panoptic"))
    assert {row["label"]: row["score"] for row in semantic} == {"g": None, "r": None}
    for row in semantic:
        masks = [array(instances, i) for i, other in enumerate(instances) if other["label"] == row["label"]]
        assert np.array_equal(np.asarray(row["mask"]), np.max(masks, axis=0))
    pixels = np.sum([array(panoptic, i) > 0 for i in range(len(panoptic))], axis=0)
    assert pixels.max() == 1
    assert 0 < len(panoptic) < len(instances)
    with pytest.raises(ValueError, match="subtask must be one of instance, panoptic, semantic, not 'part'"):
        segment(picture, subtask="part")


def test_everything_becomes_masks_without_a_detector(segmenter: Segmenter, rgb: np.ndarray) -> None:
    found = pipeline("image-segmentation", segmenter, points_per_crop=4)(rgb)
    masks = pipeline("mask-generation", segmenter, points_per_crop=4)(rgb)
    assert [row["score"] for row in found] == pytest.approx(masks["scores"])
    assert {row["label"] for row in found} == {"object"}
    assert np.array_equal(array(found) > 0, masks["masks"][0])


def test_image_feature_extraction_returns_the_embedding(segmenter: Segmenter, rgb: np.ndarray) -> None:
    extract = pipeline("image-feature-extraction", segmenter)
    features = extract(rgb, return_tensors=True)
    assert np.array_equal(features[0], segmenter.encode(rgb).features[-1])
    assert np.array_equal(np.array(extract(rgb), np.float32), features)
    assert np.allclose(extract(rgb, pool=True), features.mean(axis=(2, 3)))

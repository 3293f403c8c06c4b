"""`pipeline` of transformers: its tasks, the forms of its inputs and results, and its keywords."""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import OvsegError, Prompt, Segmenter, image, pipeline
from ovseg_core.engines import int8
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.hugging_face import tasks
from ovseg_core.hugging_face.key_dataset import KeyDataset
from ovseg_core.hugging_face.task_pipeline import TaskPipeline
from tests.support import paddlex_detector, pictures
from tests.support.paddlex_detector import are_at, image_bgr

BOX = [100, 60, 330, 300]
TEXT_TASKS = ("zero-shot-object-detection", "image-segmentation", "promptable-segmentation")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PNG file that is upright only with its EXIF orientation."""
    pixels = image.decode(pictures.photo(), 10**8)[:300, :400]
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(np.rot90(pixels)).save(path, exif=exif)
    return path


@pytest.fixture(scope="module")
def rgb(photo: Path) -> np.ndarray:
    """Return the upright pixels of the photo."""
    return image.decode(photo.read_bytes(), 10**8)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.open("SAM-Lite")


@pytest.fixture(scope="module")
def promptable(segmenter: Segmenter) -> TaskPipeline:
    return pipeline("promptable-segmentation", model=segmenter)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return paddlex_detector.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def installed(detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paddlex_detector.install(detector, tmp_path, monkeypatch)


def array(result: list[dict[str, Any]], i: int = 0) -> np.ndarray:
    return np.asarray(result[i]["mask"])


def same(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> bool:
    """True if two results of `promptable-segmentation` are equal."""
    rest = [[{**row, "mask": None} for row in result] for result in (one, other)]
    return rest[0] == rest[1] and all(np.array_equal(array(one, i), array(other, i)) for i in range(len(one)))


# The tasks and their results


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


# The forms of the inputs


def test_an_image_may_have_any_form_and_is_upright(photo: Path, rgb: np.ndarray, promptable: TaskPipeline) -> None:
    expected = promptable(rgb, boxes=[BOX])
    data = photo.read_bytes()
    encoded = base64.b64encode(data).decode()
    with Image.open(photo) as picture:
        forms = [
            str(photo),
            photo,
            data,
            encoded,
            f"data:image/png;base64,{encoded}",
            picture,
            {"image": rgb},
            {"image": {"bytes": data, "path": None}},
            {"path": str(photo), "bytes": None},
        ]
        for form in forms:
            assert same(promptable(form, boxes=[BOX]), expected), type(form)
    for name in ("image", "images", "inputs"):
        assert same(promptable(**{name: rgb}, boxes=[BOX]), expected)
    grey = np.ascontiguousarray(rgb[:, :, 0])
    assert same(promptable(grey, boxes=[BOX]), promptable(Image.fromarray(grey), boxes=[BOX]))


class Rows:
    """A dataset that can only be indexed, with a length, as those of torch."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return {"picture": self.rows[index]}


def test_a_list_gives_a_list_and_everything_else_an_iterator(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    one = promptable(rgb, boxes=[BOX])
    listed = promptable([rgb, rgb], boxes=[BOX])
    assert isinstance(listed, list)
    dataset = KeyDataset(Rows([rgb, rgb]), "picture")
    for several in (dataset, (row for row in [rgb, rgb]), iter([rgb, rgb])):
        found = promptable(several, boxes=[BOX])
        assert isinstance(found, Iterator)
        assert all(same(result, one) for result in [*found, *listed])
    assert promptable([], boxes=[BOX]) == []


def test_each_input_may_have_parameters_of_its_own(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    rows = [{"image": rgb, "boxes": [BOX]}, {"image": rgb, "points": [[150, 100]]}]
    assert [row["label"] for [row] in promptable(rows)] == ["box", "point"]
    with pytest.raises(ValueError, match="needs the key image; this one has only boxes"):
        promptable({"boxes": [BOX]})


def test_parameters_hold_for_one_call_or_for_all(rgb: np.ndarray, segmenter: Segmenter) -> None:
    generator = pipeline("mask-generation", segmenter, points_per_crop=3)
    few = len(generator(rgb)["masks"])
    assert len(generator(rgb, points_per_crop=6)["masks"]) > few
    assert len(generator(rgb)["masks"]) == few


@pytest.mark.parametrize("batch_size", [2, 4])
def test_a_batch_changes_no_result(rgb: np.ndarray, promptable: TaskPipeline, batch_size: int) -> None:
    inputs = [rgb, rgb[:200], rgb[:, :333]]
    batched = promptable(inputs, boxes=[BOX], batch_size=batch_size)
    for result, given in zip(batched, inputs, strict=True):
        [alone], [row] = promptable(given, boxes=[BOX]), result
        assert row["score"] == pytest.approx(alone["score"], abs=1e-3)
        assert (np.asarray(row["mask"]) == np.asarray(alone["mask"])).mean() > 0.999


def test_a_generator_is_read_ahead_by_a_batch_and_no_more(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    taken = threading.Semaphore(0)
    count = 0

    def images() -> Iterator[np.ndarray]:
        nonlocal count
        while True:
            count += 1
            taken.release()
            yield rgb

    results = promptable(images(), boxes=[BOX], batch_size=2)
    assert count == 0
    next(results)
    for _ in range(4):  # the batch of this result, and the next one, although no one asked for it
        assert taken.acquire(timeout=60)
    next(results)
    assert count == 4
    results.close()


def test_an_image_is_taken_while_an_earlier_one_is_worked_on(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    """The second image comes only after the first result: so no result waits for the next image."""
    is_answered = threading.Event()

    def images() -> Iterator[np.ndarray]:
        yield rgb
        assert is_answered.wait(60)
        yield rgb

    results = promptable(images(), boxes=[BOX])
    next(results)
    is_answered.set()
    assert len(list(results)) == 1


def test_without_workers_the_callers_thread_reads(photo: Path, promptable: TaskPipeline) -> None:
    """SQLite's cursors may be used only in the thread that made them."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table photos (path text)")
        connection.execute("insert into photos values (?)", [str(photo)])
        rows = (path for (path,) in connection.execute("select path from photos"))
        assert len(list(promptable(rows, boxes=[BOX], num_workers=0))) == 1


def test_an_error_comes_after_the_results_before_it(rgb: np.ndarray, promptable: TaskPipeline, tmp_path: Path) -> None:
    results = promptable(iter([rgb, tmp_path / "none.jpg", rgb]), boxes=[BOX], batch_size=4)
    assert len(next(results)) == 1
    with pytest.raises(FileNotFoundError):
        next(results)


# The keywords of `pipeline`


@pytest.mark.skipif(not int8.is_supported(), reason="this CPU has no VNNI")
def test_load_in_8bit_runs_the_encoder_in_int8(rgb: np.ndarray) -> None:
    quantized = pipeline("promptable-segmentation", model_kwargs={"load_in_8bit": True}, device="cpu")
    expected = Segmenter.open("SAM-Lite", precision="int8")
    [mask] = expected.decode(expected.encode(rgb), [Prompt.of(BOX)])
    assert np.array_equal(array(quantized(rgb, boxes=[BOX])) > 0, mask.full())


def test_a_missing_task_is_answered_with_the_list() -> None:
    names = ", ".join(tasks.TASKS)
    assert set(TEXT_TASKS) < set(tasks.TASKS)
    with pytest.raises(ValueError, match=f"no task 'automatic-speech-recognition'; the tasks are {names}$"):
        pipeline(task="automatic-speech-recognition")
    with pytest.raises(ValueError, match="did you mean 'mask-generation'"):
        pipeline("mask_generation")
    with pytest.raises(ValueError, match=rf"name a task \({names}\) or a model"):
        pipeline()


def test_a_missing_model_is_answered_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    with pytest.raises(OvsegError, match=r"no model 'openai/whisper-large'; available: SAM-Lite, .*GroundingDINO-T"):
        pipeline(model="openai/whisper-large")
    with pytest.raises(OvsegError, match="`ovseg models pull GroundingDINO-T`"):
        pipeline("zero-shot-object-detection")
    with pytest.raises(ValueError, match="needs a detector, such as GroundingDINO-T; SAM-Lite is not a detector"):
        pipeline("zero-shot-object-detection", model="SAM-Lite")
    with pytest.raises(ValueError, match="SAM-Lite is not a detector"):
        pipeline("image-segmentation", detector="SAM-Lite")


def test_unknown_parameters_are_refused(promptable: TaskPipeline, rgb: np.ndarray) -> None:
    with pytest.raises(TypeError, match=r"mask-generation has no parameter 'points'; its parameters: points_per_batch"):
        pipeline("mask-generation", points=[[1, 1]])
    with pytest.raises(TypeError, match="promptable-segmentation has no parameter 'box'"):
        promptable(rgb, box=BOX)
    with pytest.raises(TypeError, match="needs one image"):
        promptable(boxes=[BOX])
    with pytest.raises(TypeError, match="need their names"):
        promptable(rgb, [BOX])
    with pytest.raises(ValueError, match="tokenizer cannot be chosen"):
        pipeline("mask-generation", tokenizer="bert-base-uncased")
    for wrong in ({"batch_size": 0}, {"num_workers": -1}):
        with pytest.raises(ValueError, match="must be at least"):
            promptable(rgb, boxes=[BOX], **wrong)


def test_several_devices_share_the_images_and_answer_in_order(
    rgb: np.ndarray, promptable: TaskPipeline, segmenter: Segmenter
) -> None:
    """Two processes on the CPU take the place of two GPUs."""
    shared = pipeline("promptable-segmentation", device_map=["cpu", "cpu"])
    assert shared.devices == ("cpu", "cpu")
    inputs = [rgb[:200], rgb, rgb[:, :333], rgb[:250]]
    expected = promptable(inputs, boxes=[BOX])
    assert all(map(same, shared(inputs, boxes=[BOX]), expected))
    assert same(shared(rgb, boxes=[BOX]), expected[1])
    with pytest.raises(OvsegError, match="outside the image") as raised:
        shared([rgb, rgb], points=[[10_000, 1]])
    assert raised.value.code == "point_outside_image"
    assert same(shared(rgb, boxes=[BOX]), expected[1])
    with pytest.raises(ValueError, match="a model that is loaded stays on its device"):
        pipeline("promptable-segmentation", segmenter, device_map=["cpu", "cpu"])

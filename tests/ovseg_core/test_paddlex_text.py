"""Text prompts of `open_vocabulary_segmentation`, which PaddleX lacks: phrases to boxes to masks."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from ovseg.commands import main
from ovseg_core import create_model, create_pipeline
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.paddlex.pipeline import Pipeline
from tests.support import paddlex_detector
from tests.support.paddlex_detector import CERTAIN, IMAGE_HW, PLACES, are_at, image_bgr

WORDS = ["r", "G"]  # in the caller's spelling


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return paddlex_detector.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def pipeline(detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    paddlex_detector.install(detector, tmp_path, monkeypatch)
    return create_pipeline("open_vocabulary_segmentation", model="SAM-Lite", device="cpu")


def test_each_mask_has_the_callers_phrase_the_box_and_its_score(pipeline: Pipeline, detector: Detector) -> None:
    prompt = {"phrases": WORDS, **CERTAIN}
    [res] = pipeline.predict(image_bgr(), prompt, "text")
    found = detector.detect(detector.encode(image_bgr()[:, :, ::-1]), WORDS, DetectionOptions(0.55, 0.55))
    assert res["prompts"] == {"text_prompt": prompt}
    assert len(res["masks"]) == len(res["mask_infos"]) == len(found.scores) > 2
    for i, info in enumerate(res["mask_infos"]):
        index = int(found.phrases[i])
        assert list(info) == ["label", "prompt", "prompt_index", "coordinate", "detection_score"]
        assert (info["label"], info["prompt"], info["prompt_index"]) == ("text_prompt", WORDS[index], index)
        assert info["coordinate"] == found.boxes_xyxy[i].tolist()
        assert info["detection_score"] == float(found.scores[i])
        assert res.to_coco(category_id=7)[i]["category_id"] == 7 + index
    for word in WORDS:
        boxes = [info["coordinate"] for info in res["mask_infos"] if info["prompt"] == word]
        assert are_at(boxes, word.lower())


def test_only_objects_inside_the_box_are_found(pipeline: Pipeline) -> None:
    x0, y0, x1, y1 = PLACES["r"]
    around_red = [x0 - 30, y0 - 30, x1 + 30, y1 + 30]
    [res] = pipeline.predict(image_bgr(), {"phrases": WORDS, "box": around_red, **CERTAIN}, "text")
    assert {info["prompt"] for info in res["mask_infos"]} == {"r"}
    with pytest.raises(OvsegError, match="lies outside the image"):
        next(pipeline.predict(image_bgr(), {"phrases": WORDS, "box": [900, 900, 950, 950]}, "text"))


def test_a_mask_is_that_of_its_box(pipeline: Pipeline) -> None:
    [res] = pipeline.predict(image_bgr(), {"phrases": WORDS, **CERTAIN, "max_objects": 3}, "text")
    boxes = [info["coordinate"] for info in res["mask_infos"]]
    [of_boxes] = pipeline.predict(image_bgr(), boxes, "box")
    assert len(boxes) == 3
    assert all((a == b).all() for a, b in zip(res["masks"], of_boxes["masks"], strict=True))
    [candidates] = pipeline.predict(
        image_bgr(), {"phrases": WORDS, **CERTAIN, "max_objects": 1}, "text", multimask_output=True
    )
    assert {info["prompt"] for info in candidates["mask_infos"]} == {res["mask_infos"][0]["prompt"]}


@pytest.mark.parametrize(
    "prompt", ["r . g .", "r.g", ["r", "g"], ("r", "g"), np.array(["r", "g"]), {"phrases": "r . g"}]
)
def test_phrases_are_a_list_or_a_string(prompt: Any, pipeline: Pipeline) -> None:
    [res] = pipeline.predict(image_bgr(), prompt, "text")
    assert {info["prompt"] for info in res["mask_infos"]} == {"r", "g"}


def test_each_image_may_have_phrases_of_its_own_and_nothing_found_is_a_result_without_masks(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    grey = np.full((*IMAGE_HW, 3), 110, np.uint8)
    given = [{"phrases": ["r"], **CERTAIN}, {"phrases": ["g"], **CERTAIN}, {"phrases": ["r"], **CERTAIN}]
    first, second, third = pipeline.predict([image_bgr(), image_bgr(), grey], given, "text", batch_size=2)
    assert [{info["prompt"] for info in res["mask_infos"]} for res in (first, second)] == [{"r"}, {"g"}]
    assert third["mask_infos"] == []
    assert len(third["masks"]) == 0
    third.save_all(tmp_path / "nothing")
    assert json.loads(next((tmp_path / "nothing").glob("*.json")).read_text())["masks"] == []


@pytest.mark.parametrize(
    ("prompt", "code", "field"),
    [
        ([], "phrase_empty", "text_prompt"),
        ("", "phrase_empty", "text_prompt"),
        (" . ", "phrase_empty", "text_prompt"),
        (["r", " "], "phrase_empty", "text_prompt[1]"),
        ({"phrases": ["r", ""]}, "phrase_empty", "text_prompt.phrases[1]"),
        ({"phrases": ["r"], "box_threshold": 2}, "invalid_options", "text_prompt.box_threshold"),
        ({"phrases": ["r"], "threshold": 0.2}, "invalid_options", "text_prompt.threshold"),
        ({"phrases": ["r"], "max_objects": 0}, "invalid_options", "text_prompt.max_objects"),
        ({"phrases": ["r"], "box": [1, 2, 3]}, "invalid_prompt", "text_prompt.box"),
        ({"phrases": ["r"], "box": [1, 2, 1, 4]}, "invalid_prompt", "text_prompt.box"),
    ],
)
def test_a_wrong_text_prompt_is_refused_before_anything_is_loaded(prompt: Any, code: str, field: str) -> None:
    with pytest.raises(OvsegError) as caught:
        create_pipeline("open_vocabulary_segmentation").predict("x.jpg", prompt, "text")
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (None, "text_prompt must be a list"),
        (3, "text_prompt must be a list"),
        (["r", 3], r"text_prompt\[1\] must be a string, not 3"),
        ({"box_threshold": 0.3}, "text_prompt.phrases must be a list"),
    ],
)
def test_a_text_prompt_of_a_wrong_type_is_refused(prompt: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        create_pipeline("open_vocabulary_segmentation").predict("x.jpg", prompt, "text")


def test_an_unreadable_phrase_is_named_and_a_model_alone_finds_no_text(pipeline: Pipeline) -> None:
    with pytest.raises(OvsegError) as caught:
        next(pipeline.predict(image_bgr(), ["r", "\N{DOG FACE}"], "text"))
    assert (caught.value.code, caught.value.field) == ("phrase_unreadable", "phrases[1]")
    with pytest.raises(ValueError, match="text prompts need a detector: use create_pipeline"):
        next(create_model("SAM-Lite", device="cpu").predict(image_bgr(), {"text_prompt": ["r"]}))
    with pytest.raises(OvsegError, match="text_prompt stands alone; box_prompt cannot be in the same request"):
        create_model("SAM-Lite", device="cpu").predict(image_bgr(), {"text_prompt": ["r"], "box_prompt": []})


@pytest.mark.usefixtures("pipeline")
def test_the_command_line_takes_text_and_draws_boxes_and_names(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), image_bgr())
    arguments = ["--pipeline", "open_vocabulary_segmentation", "--model", "SAM-Lite", "--device", "cpu"]
    arguments += ["--input", str(tmp_path / "x.png"), "--save_path", str(tmp_path / "output")]
    text = ["--prompt_type", "text", "--prompt", "r . g .", "--thresholds", str(CERTAIN)]
    run = CliRunner().invoke(main, [*arguments, *text])
    assert run.exit_code == 0, run.output
    infos = ast.literal_eval(run.stdout)["res"]["mask_infos"]
    assert {info["prompt"] for info in infos} == set(PLACES)
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == ["x_res.json", "x_res.png"]
    without_text = CliRunner().invoke(main, [*arguments, "--prompt", "[[1,2,3,4]]", "--thresholds", str(CERTAIN)])
    assert without_text.exit_code == 1
    assert "--thresholds is for --prompt_type text" in without_text.stderr

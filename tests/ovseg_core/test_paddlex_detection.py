"""PaddleX's `open_vocabulary_detection`: its prompts and labels, the library and the command line."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result

from ovseg.commands import main
from ovseg_core import create_model, create_pipeline, models
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.paddlex import detection_prompt
from ovseg_core.paddlex.detection_pipeline import DetectionPipeline
from ovseg_core.paddlex.detection_prompt import Prompt
from ovseg_core.paddlex.thresholds import Thresholds
from tests.support import paddlex_detector
from tests.support.paddlex_detector import CERTAIN, PLACES, are_at, image_bgr

PROMPT = "r . g ."


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return paddlex_detector.made(tmp_path_factory.mktemp("detector"))


@pytest.fixture
def pipeline(detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DetectionPipeline:
    paddlex_detector.install(detector, tmp_path, monkeypatch)
    return create_pipeline("open_vocabulary_detection", device="cpu")


@pytest.mark.parametrize(
    ("given", "tokens", "spans"),
    [
        ("bus . walking man .", (101, 3902, 1012, 3788, 2158, 1012, 102), ((1, 2), (3, 5))),
        (" bus ", (101, 3902, 1012, 102), ((1, 2),)),  # PaddleX adds a full stop
        ("bus ? bus", (101, 3902, 1029, 3902, 1012, 102), ((1, 2), (3, 4))),  # and lets a question mark end a phrase
        ("bus..", (101, 3902, 1012, 1012, 102), ((1, 2), (3, 3))),
        ("\N{DOG FACE}.", (101, 100, 1012, 102), ((1, 2),)),  # it searches for unknown words
    ],
)
def test_a_prompt_has_paddlex_s_tokens(given: str, tokens: tuple[int, ...], spans: tuple[tuple[int, int], ...]) -> None:
    prompt = Prompt.of(given)
    assert prompt.tokens == tokens
    assert prompt.text.spans == spans


@pytest.mark.parametrize(
    ("given", "fitting", "label"),  # the labels are those of PaddleX 3.7.2's tokenizer
    [
        ("bus . walking man . rearview mirror .", {1, 3, 4}, "bus walking man"),
        ("bus . walking man . rearview mirror .", {4, 6, 7}, "man rearview mirror"),
        ("bus . walking man . rearview mirror .", {0, 1, 2, 9}, "[CLS] bus. [SEP]"),
        ("bus . walking man . rearview mirror .", set(), ""),
        ("unaffable .", {1, 2, 3}, "unaffable"),
        ("unaffable .", {3}, "##ble"),
        ("it's a dog's .", {1, 2, 3, 5, 6, 7}, "it's dog's"),
        ("it's .", {2, 4}, "'."),
        ("a ' .", {1, 2, 3}, "a '."),
        ("don't , t-shirt .", {1, 2, 3, 4, 5, 6, 7}, "don't, t - shirt"),
    ],
)
def test_a_label_joins_the_tokens_that_fit_as_paddlex_does(given: str, fitting: set[int], label: str) -> None:
    prompt = Prompt.of(given)
    assert prompt.label(np.array([i in fitting for i in range(len(prompt.text.tokens))])) == label


def test_boxes_are_scaled_to_the_image_unclipped_in_their_order_and_without_suppression() -> None:
    prompt = Prompt.of("bus . man .")
    logits = np.full((4, 16), -9.0, np.float32)
    logits[0, [1, 3]] = 0, 2
    logits[1, 1] = -0.9  # a score of 0.29
    logits[2:, 1] = 1
    centres = np.array([[0.5, 0.25, 0.2, 0.1], [0.5, 0.5, 1, 1], [0.9, 0.5, 0.4, 1.2], [0.9, 0.5, 0.4, 1.2]])
    found = detection_prompt.boxes(prompt, logits, centres, (100, 200), Thresholds())
    assert [box["label"] for box in found] == ["bus man", "bus", "bus"]
    assert [box["score"] for box in found] == pytest.approx([0.8808, 0.7311, 0.7311], abs=1e-4)
    assert np.array([box["coordinate"] for box in found]) == pytest.approx(
        np.array([[80, 20, 120, 30], [140, -10, 220, 110], [140, -10, 220, 110]]), abs=1e-3
    )


def test_the_tutorials_script_finds_the_objects_prints_and_saves(
    pipeline: DetectionPipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "scene.jpg"), image_bgr(), [cv2.IMWRITE_JPEG_QUALITY, 100])
    output = pipeline.predict(input=str(tmp_path / "scene.jpg"), prompt=PROMPT, thresholds=CERTAIN)
    for res in output:
        res.print()
        res.save_to_img(save_path=f"{tmp_path}/output/")
        res.save_to_json(save_path=f"{tmp_path}/output/")
    printed = json.loads(capsys.readouterr().out)["res"]
    assert list(printed) == ["input_path", "page_index", "boxes"]
    for box in printed["boxes"]:
        assert list(box) == ["coordinate", "label", "score"]
        assert 0.55 < box["score"] <= 1
    _check_places(printed["boxes"])
    assert json.loads((tmp_path / "output" / "scene_res.json").read_text()) == printed == res.json["res"]
    assert ast.literal_eval(str(res)) == {"res": printed}
    drawn = cv2.imread(str(tmp_path / "output" / "scene_res.jpg"))
    assert drawn is not None
    assert drawn.shape == image_bgr().shape
    assert res.img["res"].size == (390, 249)


def _check_places(boxes: list[dict[str, Any]]) -> None:
    assert {box["label"] for box in boxes} == set(PLACES)
    for word in PLACES:
        assert are_at([box["coordinate"] for box in boxes if box["label"] == word], word)


def test_create_model_predicts_with_its_thresholds_unless_the_call_has_others(
    pipeline: DetectionPipeline, tmp_path: Path
) -> None:
    model = create_model("GroundingDINO-T", device="cpu", thresholds=CERTAIN)
    [certain] = model.predict(image_bgr(), prompt=PROMPT)
    [of_pipeline] = pipeline.predict(image_bgr(), PROMPT, CERTAIN)
    middle = float(np.median([box["score"] for box in certain["boxes"]]))
    [fewer] = model.predict(image_bgr(), prompt=PROMPT, thresholds={"box_threshold": middle, "text_threshold": None})
    [none] = model.predict(image_bgr(), prompt=PROMPT, thresholds={"box_threshold": 1})
    assert model.model_name == "GroundingDINO-T"
    assert certain["input_path"] is None
    assert certain["boxes"] == of_pipeline["boxes"]
    assert 0 < len(fewer["boxes"]) < len(certain["boxes"])
    assert none["boxes"] == []
    none.save_all(tmp_path / "nothing")


def test_a_configuration_is_paddlex_s_and_sets_the_thresholds(pipeline: DetectionPipeline, tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["--get_pipeline_config", "open_vocabulary_detection", "--save_path", str(tmp_path)])
    assert run.exit_code == 0
    config = yaml.safe_load((tmp_path / "open_vocabulary_detection.yaml").read_text())
    assert config == {
        "pipeline_name": "open_vocabulary_detection",
        "SubModules": {
            "OpenVocabularyDetection": {
                "module_name": "open_vocabulary_detection",
                "model_name": "GroundingDINO-T",
                "model_dir": None,
                "batch_size": 1,
                "thresholds": {"box_threshold": 0.3, "text_threshold": 0.25},
            }
        },
    }
    config["SubModules"]["OpenVocabularyDetection"]["thresholds"] = CERTAIN
    [res] = create_pipeline(config=config, device="cpu").predict(image_bgr(), PROMPT)
    [expected] = pipeline.predict(image_bgr(), PROMPT, CERTAIN)
    assert res["boxes"] == expected["boxes"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"prompt": ""}, OvsegError, "the prompt needs a word"),
        ({"prompt": " . ? "}, OvsegError, "the prompt needs a word"),
        ({"prompt": "a " * 300}, OvsegError, "the prompt has 301 tokens; it may have at most 254"),
        ({"prompt": ["bus"]}, TypeError, "prompt must be a string such as 'bus . walking man .', not list"),
        ({"thresholds": 0.3}, TypeError, "thresholds must be a mapping such as"),
        ({"thresholds": {"threshold": 0.3}}, OvsegError, "unknown thresholds threshold; known: box_threshold, text_th"),
        ({"thresholds": {"max_objects": 3}}, OvsegError, "unknown thresholds max_objects"),
        ({"thresholds": {"box_threshold": 1.5}}, OvsegError, "thresholds.box_threshold must be a number from 0 to 1"),
        ({"thresholds": {"text_threshold": -0.1}}, OvsegError, "thresholds.text_threshold must be a number"),
        ({"thresholds": {"text_threshold": "0.3"}}, OvsegError, "thresholds.text_threshold must be a number"),
        ({"thresholds": {"text_threshold": float("nan")}}, OvsegError, "thresholds.text_threshold must be a number"),
        ({"batch_size": -1}, ValueError, "batch_size must be at least 1"),
        ({"on_error": "ignore"}, ValueError, "on_error must be raise or skip"),
    ],
)
def test_a_wrong_argument_is_refused_before_the_first_image(
    arguments: dict[str, Any], error: type[Exception], message: str, pipeline: DetectionPipeline
) -> None:
    with pytest.raises(error, match=message):
        pipeline.predict(image_bgr(), **{"prompt": PROMPT, **arguments})


def test_a_detector_that_is_not_installed_is_an_error_that_names_the_pull_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    message = "GroundingDINO-T is not installed here; `ovseg models pull GroundingDINO-T` fetches it to"
    for predict in (
        lambda: create_model("GroundingDINO-T"),
        lambda: create_pipeline("open_vocabulary_detection").predict("x.jpg", PROMPT),
        lambda: create_pipeline("open_vocabulary_segmentation").predict("x.jpg", ["r"], "text"),
    ):
        with pytest.raises(OvsegError, match=message) as caught:
            predict()
        assert (caught.value.code, caught.value.field) == ("model_not_installed", "detector")
    with pytest.raises(OvsegError, match="there is no detector 'SAM-B'; available: GroundingDINO-T"):
        create_pipeline("open_vocabulary_detection", detector="SAM-B").predict("x.jpg", PROMPT)
    with pytest.raises(ValueError, match="only a detector has thresholds, and SAM-Lite is none"):
        create_model("SAM-Lite", thresholds=CERTAIN)  # type: ignore[call-overload]
    with pytest.raises(FileNotFoundError, match="must name a checkpoint file or a folder"):
        create_model("GroundingDINO-T", tmp_path / "none")
    with pytest.raises(ValueError, match=r"is not a PaddleX inference model: it has no inference\.yml"):
        create_model("GroundingDINO-T", tmp_path)


def test_detectors_are_listed_and_pulled_like_models_but_segment_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    listed = CliRunner().invoke(main, ["models", "list"]).output
    assert "GroundingDINO-T" in listed
    path = CliRunner().invoke(main, ["models", "path", "GroundingDINO-T"])
    assert path.output.strip() == str(tmp_path / "grounding_dino_tiny.safetensors")
    assert CliRunner().invoke(main, ["models", "verify", "GroundingDINO-T"]).exit_code == 1
    monkeypatch.setenv("OVSEG_MODELS_MIRROR", "http://127.0.0.1:9/")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9/")  # so that nothing is fetched
    pulled = CliRunner().invoke(main, ["models", "pull", "GroundingDINO-T"])
    assert pulled.exit_code == 1
    assert "SAM-Lite" not in pulled.output
    assert "GroundingDINO-T" not in models.all_models()


def ovseg(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.usefixtures("pipeline")
def test_the_command_line_is_paddlex_s_word_for_word(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), image_bgr())
    image, folder = str(tmp_path / "x.png"), str(tmp_path / "output")
    command = ["--pipeline", "open_vocabulary_detection", "--input", image, "--prompt", PROMPT, "--thresholds"]
    run = ovseg(*command, "{'text_threshold': 0.55, 'box_threshold': 0.55}", "--save_path", folder, "--device", "cpu")
    assert run.exit_code == 0, run.output
    [line] = run.stdout.splitlines()
    printed = ast.literal_eval(line)["res"]
    _check_places(printed["boxes"])
    assert sorted(path.name for path in Path(folder).iterdir()) == ["x_res.json", "x_res.png"]
    for thresholds, message in (
        ("0.3", "Error: --thresholds is a mapping"),
        ("{'box_threshold': 0.3", "Error: --thresholds is a mapping"),
        ("{'box_threshold': 3}", "Error: thresholds.box_threshold must be a number from 0 to 1"),
    ):
        failed = ovseg(*command, thresholds)
        assert (failed.exit_code, failed.stderr.startswith(message)) == (1, True), failed.stderr

"""`ovseg models check` of detectors: good boxes pass, and boxes that cannot be right are named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from ovseg.commands import main
from ovseg.model_check.box_answers import Box, iou
from ovseg.model_check.detector_check import ABSENT, PRESENT
from ovseg_core import detectors
from ovseg_core.grounding_dino import loading
from ovseg_core.grounding_dino.detections import Detections
from ovseg_core.grounding_dino.detector import EncodedImage
from ovseg_core.grounding_dino.placement import Placement
from tests.support import small_grounding_dino
from tests.support.small_grounding_dino import CANVAS_HW, SHAPE

NAME = "GroundingDINO-T"
WORDS = 30_522  # of the vocabulary; the small network has fewer


class Remembering:
    """A detector that answers from a table of boxes and scores."""

    def __init__(self, answers: Mapping[str, tuple[Box, float]], is_finite: bool = True) -> None:
        self.answers, self.features = dict(answers), np.full((4, 4), 0 if is_finite else np.nan, np.float32)

    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        height, width = image_rgb.shape[:2]
        return EncodedImage(self.features, (64, 64), (64, 64), (height, width))

    def detect(self, image: EncodedImage, phrases: list[str], options: Any) -> Detections:
        rows = [(*self.answers[phrase], i) for i, phrase in enumerate(phrases) if phrase in self.answers]
        rows.sort(key=lambda row: -row[1])
        boxes, scores, indices = zip(*rows, strict=True) if rows else ((), (), ())
        return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores), np.array(indices, int))


GOOD = {phrase: (box, 0.6) for phrase, box in PRESENT.items()} | dict.fromkeys(ABSENT, ((0, 0, 9, 9), 0.1))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the detector's weights belong; there is a file, with nothing in it."""
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    (tmp_path / "grounding_dino_tiny.safetensors").touch()
    return tmp_path / "grounding_dino_tiny.safetensors"


def check(*arguments: str, name: str = NAME) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["models", "check", name, "--device", "cpu", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def answering(monkeypatch: pytest.MonkeyPatch, *detectors_by_engine: Any) -> None:
    """Make each detector that is loaded the next of these."""
    following = iter(detectors_by_engine)
    monkeypatch.setattr(detectors, "load", lambda *_: next(following))


def test_a_detector_that_finds_the_objects_passes_and_its_answers_can_be_recorded(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering(monkeypatch, *[Remembering(GOOD)] * 3)
    code, output = check("--record", str(tmp_path / "known.json"))
    assert code == 0, output
    assert f"{NAME} on cpu (openvino, float32), compared only roughly, with the places of the photo's objects" in output
    assert "4 of 4 objects in their places" in output
    assert "  helmet                 0.00 s   score 0.60, box 278, 345, 508, 512\n" in output
    assert "all again" in output
    assert json.loads((tmp_path / "known.json").read_text())["by_phrase"]["flag"]["score"] == 0.6
    code, output = check("--answers", str(tmp_path / "known.json"))
    assert code == 0, output
    assert "lowest IoU 1.000, largest change of score 0.000" in output
    moved = GOOD | {"flag": ((0, 0, 97, 480), 0.65)}
    answering(monkeypatch, Remembering(moved))
    code, output = check("--answers", str(tmp_path / "known.json"))
    assert code == 1
    assert "WRONG: lowest IoU 0.938, largest change of score 0.050 (required: 0.98 or more, and 0.02 or less)" in output


def test_engines_that_disagree_are_found(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = detectors.engines("grounding_dino_t", "cpu")
    variants = sum(len(detectors.precisions(engine)) for engine in engines)
    others = [Remembering(GOOD | {"woman": ((20, 14, 364, 400), 0.6)})] * (variants - 1)
    answering(monkeypatch, Remembering(GOOD), *others)
    code, output = check("--all-engines")
    assert code == 1
    assert output.count("other engine") == output.count("WRONG: lowest IoU 0.7") == len(others)


SWAPPED: dict[str, tuple[Box, float]] = {
    phrase: ((y0, x0, y1, x1), score) for phrase, ((x0, y0, x1, y1), score) in GOOD.items()
}


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ({}, "0 of 4 objects in their places (required: 3)"),
        (SWAPPED, "2 of 4 objects in their places (required: 3)"),
        ({p: ((b[0] / 2, b[1] / 2, b[2] / 2, b[3] / 2), s) for p, (b, s) in GOOD.items()}, "0 of 4 objects"),
        ({p: (b, 0.2) for p, (b, _) in GOOD.items()}, "0 of 4 objects in their places (required: 3)"),
        (dict.fromkeys(GOOD, (GOOD["woman"][0], 0.6)), "1 of 4 objects in their places (required: 3)"),
        ({p: (b, 0.6) for p, (b, _) in GOOD.items()}, "giraffe and bicycle, which are not there, score as high"),
        ({p: (b, float("nan")) for p, (b, _) in GOOD.items()}, "0 of 4 objects in their places (required: 3)"),
    ],
)
def test_boxes_that_cannot_be_right_fail(
    answers: dict[str, tuple[Box, float]], fault: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Remembering(answers))
    code, output = check()
    assert code == 1
    assert f"WRONG: {fault}" in output


def test_one_object_that_is_not_found_is_no_failure(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, Remembering(GOOD | {"space shuttle": ((0, 0, 9, 9), 0.2)}))
    code, output = check()
    assert code == 0, output
    assert "score 0.20, box 0, 0, 9, 9; a score above 0.3 is expected" in output


def test_features_that_are_not_finite_fail(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, Remembering(GOOD, is_finite=False))
    code, output = check()
    assert code == 1
    assert "features contain numbers that are not finite" in output


def test_random_weights_fail(weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the whole of a small network, which has all words."""
    arrays = load_file(small_grounding_dino.file("grounding_dino", tmp_path))
    [words] = [name for name in arrays if name.endswith("word_embeddings.weight")]
    channels = arrays[words].shape[1]
    arrays[words] = np.random.default_rng(0).standard_normal((WORDS, channels)).astype(np.float32)
    save_file(arrays, weights)
    shape = replace(SHAPE, vocabulary=WORDS)
    sizes = Placement(short_side=80, long_side=130, canvases=(CANVAS_HW,))
    small = loading.detector("small", shape, weights, "cpu", "paddle", sizes)
    answering(monkeypatch, small)
    code, output = check("--engine", "paddle")
    assert code == 1
    assert "objects in their places (required: 3)" in output
    assert "all again" in output


def test_what_is_not_installed_or_damaged_is_an_error_of_one_line(weights: Path) -> None:
    code, output = check()
    assert code == 1
    assert output.startswith(f"Error: {NAME} cannot be loaded: grounding_dino_tiny.safetensors is damaged, or is no ")
    weights.unlink()
    code, output = check()
    assert code == 1
    assert f"{NAME} is not installed here; `ovseg models pull {NAME}` fetches it" in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"made_by": "me", "weights_sha256": "", "by_phrase": {"a": {}}}'])
def test_a_damaged_file_of_answers_is_an_error_of_one_line(weights: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.json").write_text(text)
    code, output = check("--answers", str(tmp_path / "mine.json"))
    assert code == 1
    assert output.endswith("is not a file that `ovseg models check --record` wrote for a detector\n")


def test_the_iou_of_boxes() -> None:
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (20, 0, 30, 10)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_a_detector_is_also_checked_by_its_name_in_another_library(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, Remembering(GOOD))
    code, output = check(name="IDEA-Research/grounding-dino-tiny")
    assert (code, output.splitlines()[-1]) == (0, f"{NAME} works."), output

"""`ovseg models check`: it passes for the bundled model, and fails for weights that do not segment."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from ovseg.commands import main
from ovseg.model_check import answers, plausibility, questions
from ovseg.model_check.answers import Answers
from ovseg.model_check.questions import HEAD
from ovseg_core import digests, models, networks
from ovseg_core.candidates import Candidates
from ovseg_core.family import Family, Preset
from ovseg_core.mask import Mask
from ovseg_core.network import DecodeBatch, Features, Network, PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.sam.family import PRESET
from tests.support import small_sam

LITE = models.find("SAM-Lite")
OF_LITE = answers.FOLDER / "SAM-Lite.json"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models folder, with a registry of the user's own."""
    (tmp_path / "models.yaml").write_text(
        "LITE+: {network: sam_lite, file: lite+.safetensors}\n"
        "MOBILE: {network: mobile_sam, file: lite+.safetensors}\n"
        "SMALL: {network: small, file: sam.safetensors}\n"
    )
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "models.yaml"))
    monkeypatch.setitem(networks.NETWORKS, "small", Family(PRESET, lambda *_: loaded(tmp_path)))
    return tmp_path


def loaded(folder: Path) -> Network:
    return small_sam.on("paddle", small_sam.load(folder), folder)


def check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["models", "check", "--device", "cpu", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def with_noise(path: Path, scale: float) -> None:
    """Write SAM-Lite's weights with noise; a `scale` of 1 is as much noise as there is signal."""
    drawn = np.random.default_rng(0)
    arrays = {
        name: array + (scale * array.std() * drawn.standard_normal(array.shape)).astype(array.dtype)
        for name, array in load_file(LITE.weights).items()
    }
    save_file(arrays, path)


def test_the_bundled_model_passes_on_every_engine_and_precision() -> None:
    code, output = check("SAM-Lite", "--all-engines")
    assert code == 0, output
    assert output.endswith("SAM-Lite works.\n")
    for engine in networks.engines(LITE.network, "cpu"):
        for precision in networks.precisions(LITE.network, LITE.weights, "cpu", engine):
            assert f"SAM-Lite on cpu ({engine}, {precision}), compared with the answers of ovseg" in output
    steps = [line[:20].strip() for line in output.split("\n\n")[1].splitlines()]
    kinds = [f"{kind} ({len(prompts)})" for kind, prompts in questions.QUESTIONS.items()]
    assert steps == ["load", "encode", *kinds, "everything", "all again", "peak memory"]
    assert output.count("other engine") == output.count("peak memory") - 1


def test_the_known_answers_are_those_of_the_bundled_weights() -> None:
    """If this fails, `ovseg models check SAM-Lite --record FILE` makes the file again; look at its masks."""
    known = answers.of_model("SAM-Lite")
    assert known is not None
    assert known.weights_sha256 == digests.of_weights(LITE.weights)
    assert known.by_prompt.keys() == {answers.key(p) for prompts in questions.QUESTIONS.values() for p in prompts}


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_noise_in_the_weights_is_found_without_known_answers(folder: Path, scale: float) -> None:
    with_noise(folder / "lite+.safetensors", scale)
    code, output = check("LITE+", "--record", str(folder / "answers.json"))
    assert code == 1
    assert "compared only roughly, with SAM-Lite's masks" in output
    assert "WRONG: " in output
    assert "LITE+ does not work as it should" in output
    assert not (folder / "answers.json").exists()


def test_a_sam_with_random_weights_fails_with_every_kind_of_prompt(folder: Path) -> None:
    small_sam.load(folder)
    code, output = check("SMALL")
    assert code == 1
    assert output.count("WRONG: ") >= 3
    assert re.search(r"^mask \(1\) .* WRONG: ", output, re.MULTILINE)
    assert re.search(r"^everything .* WRONG: \d+ masks, 0 of 3 known objects", output, re.MULTILINE)


def test_slightly_different_weights_are_found_with_known_answers_and_can_be_recorded_as_new_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_noise(folder / "lite+.safetensors", 0.03)
    (folder / "known").mkdir()
    for name in ("SAM-Lite.json", "LITE+.json"):
        (folder / "known" / name).write_text(OF_LITE.read_text())
    monkeypatch.setattr(answers, "FOLDER", folder / "known")
    code, output = check("LITE+", "--precision", "float32")
    assert code == 1
    assert "(required: 0.98 or more, and 0.02 or less)" in output
    assert check("LITE+", "--record", str(folder / "known" / "LITE+.json"))[0] == 0
    assert check("LITE+", "--precision", "float32")[0] == 0


def test_the_answers_of_a_file_are_compared_instead_of_those_in_the_package(folder: Path) -> None:
    known = Answers.read(OF_LITE)
    head, shuttle, *_ = known.by_prompt
    replace(known, by_prompt={**known.by_prompt, head: known.by_prompt[shuttle]}).write(folder / "mine.json")
    code, output = check("SAM-Lite", "--answers", str(folder / "mine.json"))
    assert code == 1
    assert "WRONG: lowest IoU 0.000" in output


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"made_by": "me", "weights_sha256": "", "image_hw": [1]}'])
def test_a_damaged_file_of_answers_is_an_error_of_one_line(folder: Path, text: str) -> None:
    (folder / "mine.json").write_text(text)
    code, output = check("SAM-Lite", "--answers", str(folder / "mine.json"))
    assert code == 1
    assert output == f"Error: {folder / 'mine.json'} is not a file that `ovseg models check --record` wrote\n"


def test_weights_that_cannot_be_loaded_are_an_error_of_one_line(folder: Path) -> None:
    weights = folder / "lite+.safetensors"
    code, output = check("LITE+")
    assert code == 1
    assert "LITE+ is not installed here; `ovseg models pull LITE+` fetches it" in output
    weights.write_bytes(LITE.weights.read_bytes()[:1_000_000])
    code, output = check("LITE+")
    assert code == 1
    assert output.startswith("Error: LITE+ cannot be loaded: lite+.safetensors is damaged, or is no checkpoint: ")
    weights.write_bytes(LITE.weights.read_bytes())
    code, output = check("MOBILE", "--engine", "paddle")
    assert code == 1
    assert output.startswith("Error: MOBILE cannot be loaded: lite+.safetensors does not fit SamParts: missing ")
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("name", ["half.pth", "half.pdparams", "half.safetensors"])
def test_a_damaged_checkpoint_of_any_format_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"<html>404 Not Found</html>")
    (folder / "models.yaml").write_text(f"OTHER: {{network: sam_lite, file: {name}}}\n")
    code, output = check("OTHER")
    assert code == 1
    assert output.startswith(f"Error: OTHER cannot be loaded: {name} is damaged, or is no checkpoint: ")


def test_options_that_contradict_each_other_are_a_usage_error() -> None:
    code, output = check("SAM-Lite", "--all-engines", "--precision", "int8")
    assert code == 2
    assert "--all-engines cannot be combined with --engine, --precision or --record" in output
    assert check("SAM-Lite", "--engine", "tensorflow")[0] == 1


class Faulty:
    """A network whose features contain one number that is not finite, and whose answers alternate."""

    canvas_size = 64
    runs = 0

    def encode(self, canvases: np.ndarray) -> list[Features]:
        return [(np.full(9, np.nan, np.float32),) for _ in canvases]

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        self.runs += 1
        logits = np.full((prompts.size, 1, 8, 8), -1, np.float32)
        logits[:, :, 2:6, self.runs % 8] = 1
        regions = np.broadcast_to(np.array([0, 0, 64, 64], np.float32), (prompts.size, 1, 4))
        return Candidates(logits, regions, np.full((prompts.size, 1), 0.5, np.float32))

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        raise NotImplementedError


def test_features_that_are_not_finite_and_answers_that_change_are_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(networks.NETWORKS, "small", Family(Preset((0,) * 3, (1,) * 3), lambda *_: Faulty()))
    (folder / "sam.safetensors").touch()
    code, output = check("SMALL")
    assert code == 1
    assert "WRONG: 0.0 MB of features contain numbers that are not finite" in output
    assert "WRONG: IoU of 0.000 or more with the masks before" in output


def mask_of(x0: int, y0: int, x1: int, y1: int, score: float | None = 0.5) -> Mask:
    return Mask.of_crop(np.ones((y1 - y0, x1 - x0), bool), (x0, y0), (512, 512), score)


BOX, CLICK, _, BOTH, MASK = (prompts[0] for prompts in questions.QUESTIONS.values())


@pytest.mark.parametrize(
    ("prompt", "mask", "fault"),
    [
        (BOX, mask_of(*HEAD[:2], 300, 150), None),
        (BOX, mask_of(0, 0, 0, 0), "the mask is empty"),
        (BOX, mask_of(*HEAD), "the mask covers 100% of its box"),
        (BOX, mask_of(*HEAD[:2], 150, 20), "the mask covers 0% of its box"),
        (BOX, mask_of(0, 0, 300, 150), "only 50% of the mask is in its box"),
        (BOX, mask_of(*HEAD[:2], 300, 40), "the IoU with SAM-Lite's mask of the same object is 0.08, less than 0.5"),
        (BOX, mask_of(*HEAD[:2], 300, 150, score=0.0), "the predicted IoU is 0"),
        (BOX, mask_of(*HEAD[:2], 300, 150, score=None), None),
        (MASK, mask_of(*HEAD[:2], 300, 150), None),
        (MASK, mask_of(300, 300, 400, 400), "the IoU with SAM-Lite's mask of the same object is 0.00, less than 0.5"),
        (CLICK, mask_of(210, 80, 230, 100), None),
        (CLICK, mask_of(0, 0, 512, 512), "the mask covers the whole photo"),
        (CLICK, mask_of(0, 0, 200, 80), r"the mask does not contain the click \(220, 90\) of label 1"),
        (BOTH, mask_of(150, 12, 305, 160), r"the mask contains the click \(300, 20\) of label 0"),
    ],
)
def test_a_mask_that_cannot_be_right_is_named(prompt: Prompt, mask: Mask, fault: str | None) -> None:
    known = answers.of_model("SAM-Lite")
    assert known is not None
    found = plausibility.fault(prompt, mask, known)
    if fault is None:
        assert found is None
    else:
        assert found is not None
        assert re.match(fault, found), found


def test_a_file_of_answers_is_plain_json() -> None:
    written = json.loads(OF_LITE.read_text())
    assert written["made_by"].startswith("ovseg ")
    assert written["image_hw"] == [512, 512]

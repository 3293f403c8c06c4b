"""PaddleX's inference model GroundingDINO-T: a small detector is exported as one and run from its folder."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from ovseg.commands import main
from ovseg_core import create_model, create_pipeline, detectors, models
from ovseg_core.grounding_dino import levels, shape, text
from ovseg_core.grounding_dino.detector import Detector
from ovseg_core.grounding_dino.in_parts import DetectorInParts
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.models import record
from ovseg_core.models.pull import pull
from ovseg_core.models.verify import verify
from ovseg_core.paddle_inference import detector, detector_export
from ovseg_core.paddle_inference.levels import LevelsLayer
from ovseg_core.quiet_paddle import paddle
from tests.support import small_grounding_dino
from tests.support.small_grounding_dino import CANVAS_HW, IMAGE_HW, PHRASES, SHAPE

SIDES = (80, 130)  # pixels: the small network's images fit into its canvas
PROMPT = "a b . c ."


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_grounding_dino.file("grounding_dino", tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def folder(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the command line wrote."""
    to = tmp_path_factory.mktemp("exported") / "GroundingDINO-T"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shape.SHAPES, "grounding_dino_t", SHAPE)
        patch.setattr(detector_export, "CANVAS_HW", CANVAS_HW)
        options = ["--model_dir", str(weights), "--save_path", str(to)]
        ran = CliRunner().invoke(main, ["models", "export", "GroundingDINO-T", *options])
    assert ran.exit_code == 0, ran.output
    return to


@pytest.fixture(scope="module")
def whole(folder: Path) -> Detector:
    return detectors.load("grounding_dino_t", folder)


@pytest.fixture(scope="module")
def in_parts(weights: Path) -> Detector:
    run = small_grounding_dino.on("paddle", SHAPE, weights)
    return DetectorInParts(SHAPE, run["text"], lambda canvas_hw: run, Placement(*SIDES, (CANVAS_HW,)))


@pytest.fixture(autouse=True)
def small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector, "SIDES", SIDES)


def photo(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x * y) % 256], axis=2).astype(np.uint8)


@pytest.mark.parametrize("image_hw", [(166, 260), (140, 260), (166, 200)])
def test_images_of_any_size_and_texts_of_any_length_have_the_answer_of_the_network_in_parts(
    whole: Detector, in_parts: Detector, image_hw: tuple[int, int]
) -> None:
    image = photo(*image_hw)
    for phrases in (PHRASES, PHRASES[:1]):
        asked = text.of(phrases)
        count = int((asked.mask == 0).sum())
        (boxes, logits), (expected_boxes, expected_logits) = (
            each.answer(each.encode(image), each.encode_text(asked)) for each in (whole, in_parts)
        )
        assert np.abs(boxes - expected_boxes).max() < 1e-4
        assert logits.shape == expected_logits.shape
        assert np.abs(logits - expected_logits)[:, :count].max() < 1e-4 * np.abs(expected_logits[:, :count]).max()
        assert (logits[:, count:] < -1e8).all()
        assert boxes.std() > 0.05


@pytest.mark.parametrize("image_hw", [CANVAS_HW, IMAGE_HW, (50, 155)])
def test_the_levels_in_the_graph_are_those_in_numpy(image_hw: tuple[int, int]) -> None:
    expected = levels.of(CANVAS_HW, image_hw, SHAPE.channels)
    found = LevelsLayer(CANVAS_HW, SHAPE.channels)(*(paddle.to_tensor(float(side)) for side in image_hw))
    is_image = expected.is_image > 0
    for name, ours, theirs in zip(expected._fields, found, expected, strict=True):
        rows = slice(None) if name in ("is_image", "shares", "proposes") else is_image  # padding is not used
        assert np.abs(ours.numpy() - theirs)[rows].max() < 1e-5, name


def test_paddlex_s_doors_open_a_folder(folder: Path) -> None:
    image = photo(166, 260)[:, :, ::-1].copy()
    [by_model] = create_model("GroundingDINO-T", model_dir=folder).predict(image, prompt=PROMPT)
    module = {"model_name": "GroundingDINO-T", "model_dir": str(folder)}
    config = {"pipeline_name": "open_vocabulary_detection", "SubModules": {"OpenVocabularyDetection": module}}
    [by_pipeline] = create_pipeline(config=config).predict(image, PROMPT)
    assert by_model["boxes"] == by_pipeline["boxes"]
    assert len(by_model["boxes"]) > 5


def test_a_folder_that_is_not_of_this_model_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    with pytest.raises(ValueError, match="paddlex cannot use the engine 'openvino' on cpu; available: paddle"):
        create_model("GroundingDINO-T", model_dir=copy, engine="openvino")
    (copy / "tokenizer" / "vocab.txt").write_text("[PAD]\n")
    with pytest.raises(ValueError, match=r"vocab\.txt is not the vocabulary of BERT-Base, Uncased"):
        create_model("GroundingDINO-T", model_dir=copy)
    (copy / "inference.yml").write_text(yaml.safe_dump({"Global": {"model_name": "SAM-H_box"}}))
    with pytest.raises(ValueError, match=r"Global\.model_name is 'SAM-H_box', not GroundingDINO-T"):
        create_model("GroundingDINO-T", model_dir=copy)
    (copy / "inference.pdiparams").unlink()
    with pytest.raises(ValueError, match=r"it has no inference\.pdiparams"):
        create_model("GroundingDINO-T", model_dir=copy)
    with pytest.raises(FileNotFoundError, match="must name a checkpoint file or a folder"):
        create_model("GroundingDINO-T", model_dir=tmp_path / "none")


def test_a_graph_with_other_inputs_is_refused_with_their_names(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    specs = [paddle.static.InputSpec([1, 3], "float32", "image")]
    paddle.jit.save(paddle.nn.Linear(3, 4), str(copy / "inference"), input_spec=specs)
    with pytest.raises(ValueError, match=r"the inputs of .* are image, not attention_mask, input_ids, m, position_ids"):
        create_model("GroundingDINO-T", model_dir=copy)


def test_an_image_that_is_larger_than_the_canvas_of_the_graph_is_an_error_with_the_sizes(
    whole: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "SIDES", (110, 200))
    with pytest.raises(ValueError, match=r"Paddle cannot run .*x \(1, 3, 110, 200\)"):
        whole.answer(whole.encode(photo(110, 200)), whole.encode_text(text.of(PHRASES)))


def test_paddlex_s_archive_is_pulled_with_its_tokenizer_and_verified(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.ovseg_core.test_models import serving

    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(folder, "GroundingDINO-T_infer")
        tar.add(folder / "inference.yml", "GroundingDINO-T_infer/../../outside.yml")
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path / "models"))
    spec = models.find_detector("GroundingDINO-T_infer")
    with serving((tmp_path / "a.tar").read_bytes()) as server:
        assert pull(replace(spec, urls=(f"{server.url}/weights.bin",))) == spec.weights
    assert spec.is_installed
    known = record.read(spec.weights)
    assert known is not None
    assert set(known.files) == {"inference.json", "inference.pdiparams", "inference.yml", "tokenizer/vocab.txt"}
    assert not list(tmp_path.rglob("outside.yml"))
    assert not verify(spec).is_wrong
    assert len(list(create_model("GroundingDINO-T_infer").predict(photo(166, 260), prompt=PROMPT))) == 1
    (spec.weights / "tokenizer" / "vocab.txt").write_text("")
    assert verify(spec).text.startswith("tokenizer/vocab.txt: it has 0 bytes, not ")

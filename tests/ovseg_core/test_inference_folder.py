"""PaddleX's inference models: a small SAM is exported as one and run from its folder."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from safetensors.numpy import save_file

from ovseg import demo
from ovseg.commands import main
from ovseg_core import checkpoints, create_model, create_pipeline, image, models
from ovseg_core.errors import OvsegError
from ovseg_core.models import record
from ovseg_core.models.pull import PullFailed, pull
from ovseg_core.models.verify import verify
from ovseg_core.network import PromptBatch
from ovseg_core.paddle_inference import export
from ovseg_core.prompts import Prompt
from ovseg_core.sam.network import Sam
from ovseg_core.sam.parts import VARIANTS
from ovseg_core.segmenter import Segmenter
from tests.support import pictures, small_sam
from tests.support.sam_weights import CANVAS

BOXES = [[140, 10, 305, 180], [340, 4, 462, 300]]
POINTS = [[220, 90], [400.5, 120.5]]
PHOTO = str(demo.PHOTO)
SCALE = np.float32(CANVAS / 512)  # from the photo, which is a square, to the canvas


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    """Return the same network, in parts."""
    folder = tmp_path_factory.mktemp("sam")
    return Segmenter(models.find("SAM-B"), small_sam.on("paddle", small_sam.load(folder), folder), "paddle")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    parts = small_sam.load(tmp_path_factory.mktemp("sam"))
    found = {kind: tmp_path_factory.mktemp("exported") / f"SAM-H_{kind}" for kind in ("box", "point")}
    for kind, folder in found.items():
        export.export(parts, kind, folder)
    return found


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """True if the masks are equal, except at pixels where the last bits of float32 decide."""
    return bool((a == b).mean() > 0.999)


def test_boxes_and_points_give_the_same_masks_as_the_network_in_parts(
    segmenter: Segmenter, folders: dict[str, Path]
) -> None:
    embedding = segmenter.encode(image.decode(pictures.photo(), 10**8))
    config = {
        "pipeline_name": "open_vocabulary_segmentation",
        "SubModules": {
            f"{kind.capitalize()}PromptSegmentation": {"model_name": f"SAM-H_{kind}", "model_dir": str(folder)}
            for kind, folder in folders.items()
        },
    }
    pipeline = create_pipeline(config=config, device="cpu")
    [by_box] = pipeline.predict(PHOTO, BOXES)
    for found, box in zip(by_box["masks"], BOXES, strict=True):
        assert same(found, segmenter.decode(embedding, [Prompt.of_box(*box)])[0].full())
        assert 0 < found.mean() < 1
    # Two points are two objects here; PaddleX accepts only one point.
    [by_point] = pipeline.predict(PHOTO, POINTS, "point")
    assert by_point.scores == [None, None]
    for found, point in zip(by_point["masks"], POINTS, strict=True):
        click = PromptBatch(None, np.array([[point]], np.float32) * SCALE, np.ones((1, 1), np.float32))
        assert isinstance(segmenter.network, Sam)
        logits, _ = segmenter.network.masks(embedding.features, click, mask_indices=np.zeros(1, np.float32))
        assert same(found, segmenter.mask_of(embedding, logits[0, 0], 1.0).full())


def test_a_prompt_of_another_type_than_the_exported_one_is_refused(folders: dict[str, Path]) -> None:
    model = create_model("SAM-H_point", model_dir=folders["point"], device="cpu")
    with pytest.raises(OvsegError, match="SAM-H_point cannot take 'box'; it takes only point") as caught:
        list(model.predict(PHOTO, prompts={"box_prompt": BOXES}))
    assert (caught.value.code, caught.value.field) == ("prompt_not_supported", "prompts[0]")


def test_a_folder_of_another_model_or_an_incomplete_folder_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is SAM-H_point, not SAM-H_box"):
        create_model("SAM-H_box", model_dir=folders["point"])
    shutil.copytree(folders["box"], tmp_path / "half", ignore=shutil.ignore_patterns("*.pdiparams"))
    with pytest.raises(ValueError, match=r"it has no inference\.pdiparams"):
        create_model("SAM-H_box", model_dir=tmp_path / "half")
    (tmp_path / "half" / "inference.pdiparams").touch()
    (tmp_path / "half" / "inference.yml").write_text(yaml.safe_dump({"Global": {"model_name": "PP-OCRv4"}}))
    with pytest.raises(ValueError, match=r"Global\.model_name is 'PP-OCRv4', not SAM-H_box or SAM-H_point"):
        create_model("SAM-H_box", model_dir=tmp_path / "half")


def test_an_archive_of_paddlex_is_unpacked_completely_or_not_at_all(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.ovseg_core.test_models import serving

    with tarfile.open(tmp_path / "good.tar", "w") as tar:
        tar.add(folders["box"], "SAM-H_box_infer")
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(folders["box"] / "inference.yml", "readme.txt")
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path / "models"))
    spec = models.find("SAM-H_box")
    complaint = r"the archive has no inference\.yml.* Put the archive, unpacked, weights\.bin at"
    with serving((tmp_path / "bad.tar").read_bytes()) as server, pytest.raises(PullFailed, match=complaint):
        pull(replace(spec, urls=(f"{server.url}/weights.bin",)))
    assert not spec.is_installed
    assert record.read(spec.weights) is None
    with serving((tmp_path / "good.tar").read_bytes()) as server:
        assert pull(replace(spec, urls=(f"{server.url}/weights.bin",))) == spec.weights
    assert models.find("SAM-H_box").is_installed
    [res] = create_model("SAM-H_box", device="cpu").predict(PHOTO, prompts={"box_prompt": BOXES})
    assert len(res["masks"]) == 2
    is_wrong, text = verify(spec)
    assert not is_wrong
    assert "unchanged since it was fetched from" in text
    (spec.weights / "extra").touch()
    (spec.weights / "inference.json").rename(spec.weights / "other.json")
    is_wrong, text = verify(spec)
    assert is_wrong
    assert text.startswith("extra is new; inference.json is missing; other.json is new (the record is not the publ")
    (spec.weights / "extra").unlink()
    (spec.weights / "other.json").rename(spec.weights / "inference.json")
    (spec.weights / "inference.yml").write_text("")
    assert verify(spec).text.startswith("inference.yml: it has 0 bytes, not ")


@pytest.mark.parametrize(("kind", "step"), [("box", "box (3)"), ("point", "point (3)")])
def test_the_check_of_a_model_uses_only_the_prompts_that_the_folder_takes_and_random_weights_fail_it(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    (tmp_path / "mine.yaml").write_text("MINE+: {network: paddlex, file: MINE+_infer}")
    (tmp_path / "MINE+_infer").symlink_to(folders[kind])
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "mine.yaml"))
    ran = CliRunner().invoke(main, ["models", "check", "MINE+", "--device", "cpu"])
    assert ran.exit_code == 1
    steps = [line[:20].strip() for line in ran.stdout.split("\n\n")[1].splitlines()]
    assert steps == ["load", "encode", step, "all again", "peak memory"]
    assert f"{step:<20} " in ran.stdout
    assert "WRONG: " in ran.stdout


def test_a_damaged_folder_is_an_error_of_one_line(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text("MINE: {network: paddlex, file: MINE_infer}")
    shutil.copytree(folders["box"], tmp_path / "MINE_infer")
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "mine.yaml"))
    weights = tmp_path / "MINE_infer" / "inference.pdiparams"
    weights.write_bytes(weights.read_bytes()[:1000])
    ran = CliRunner().invoke(main, ["models", "check", "MINE", "--device", "cpu"])
    assert ran.exit_code == 1
    assert ran.output.startswith(f"Error: MINE cannot be loaded: Paddle cannot read {tmp_path / 'MINE_infer'}: ")
    assert len(ran.output.splitlines()) == 1
    (tmp_path / "MINE_infer" / "inference.yml").write_text("")
    ran = CliRunner().invoke(main, ["models", "check", "MINE", "--device", "cpu"])
    assert ran.output == f"Error: MINE cannot be loaded: {tmp_path / 'MINE_infer' / 'inference.yml'} is not a mapping\n"


def test_a_checkpoint_is_exported_from_the_command_line(tmp_path: Path) -> None:
    network = VARIANTS["mobile_sam"]()
    linear = checkpoints.linear_weights(network)
    arrays = {n: v.numpy().T.copy() if n in linear else v.numpy() for n, v in network.state_dict().items()}
    save_file(arrays, tmp_path / "mine.safetensors")
    options = ["--model_dir", str(tmp_path / "mine.safetensors"), "--save_path", str(tmp_path / "folder")]
    ran = CliRunner().invoke(main, ["models", "export", "MobileSAM", *options])
    assert ran.exit_code == 0, ran.output
    about = yaml.safe_load((tmp_path / "folder" / "inference.yml").read_text())
    assert about == {"Global": {"model_name": "SAM-H_box"}, "Processor": {"type": "SAMProcessor", "size": 1024}}
    assert (tmp_path / "folder" / "inference.pdiparams").stat().st_size > 30_000_000
    refused = CliRunner().invoke(main, ["models", "export", "SAM-Lite", "--save_path", str(tmp_path / "no")])
    assert "SAM-Lite cannot be exported; MobileSAM, SAM-B, SAM-L and SAM-H can" in refused.output

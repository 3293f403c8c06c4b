"""A model family is one row of a table; no other code depends on it."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ovseg import demo
from ovseg.commands import main
from ovseg_core import create_model, models, networks, quantization
from ovseg_core.candidates import Candidates
from ovseg_core.digests import PACKAGE
from ovseg_core.family import Family, Preset
from ovseg_core.network import DecodeBatch, Features, PromptBatch, image_by_image

ROOT = PACKAGE.parent
CODE = [path for top in ("ovseg", "ovseg_core", "worker", "gateway") for path in (ROOT / top).rglob("*.py")]


class Filler:
    """A network that returns the whole box as the mask of a box."""

    canvas_size = 64

    def encode(self, canvases: np.ndarray) -> list[Features]:
        return [(canvas,) for canvas in canvases]

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        assert prompts.boxes is not None
        logits, iou = np.ones((prompts.size, 1, 8, 8), np.float32), np.ones((prompts.size, 1), np.float32)
        return Candidates(logits, prompts.boxes[:, None], iou)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        return image_by_image(self, batch, multimask_output)


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Filler:
    assert (name, weights.name, device, engine) == ("filler", "filler.bin", "cpu", "paddle")
    assert precision == "float32"
    return Filler()


@pytest.fixture
def filler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Register a new family and a model of it; return the name of the model."""
    row = Family(Preset((127.0,) * 3, (128.0,) * 3, by_region=True, clip_to_box=True), load)
    monkeypatch.setitem(networks.NETWORKS, "filler", row)
    (tmp_path / "filler.bin").touch()
    (tmp_path / "models.yaml").write_text("FILLER: {network: filler, file: filler.bin, licence: ours}")
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "models.yaml"))
    return "FILLER"


def test_a_row_and_an_entry_in_the_registry_are_enough_for_a_new_model(filler: str) -> None:
    [result] = create_model(filler, device="cpu").predict(str(demo.PHOTO), prompts={"box_prompt": [[10, 20, 110, 220]]})
    assert result.boxes == [(10, 20, 110, 220)]
    assert result.engine == "paddle"


def test_an_engine_quantization_or_export_that_a_row_lacks_is_refused(filler: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the engine openvino cannot run filler on cpu"):
        create_model(filler, device="cpu", engine="openvino")
    with pytest.raises(ValueError, match="FILLER has no separate image encoder, so it cannot be quantized"):
        quantization.quantize(models.find(filler), [])
    refused = CliRunner().invoke(main, ["models", "export", filler, "--save_path", str(tmp_path / "no")])
    assert "FILLER cannot be exported; MobileSAM, SAM-B, SAM-L and SAM-H can" in refused.output


@pytest.mark.parametrize("name", [name for name in networks.NETWORKS if name != "paddlex"])  # also PaddleX's own name
def test_only_the_folder_of_a_family_contains_the_name_of_its_network(name: str) -> None:
    assert len(CODE) > 200
    folder = networks.NETWORKS[name].load.__module__.split(".")[1]
    found = [path.relative_to(ROOT) for path in CODE if f'"{name}"' in path.read_text()]
    assert found
    assert all(path.parts[:2] == ("ovseg_core", folder) for path in found)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_benchmarks_can_make_the_layers_of_each_network_that_has_no_bundled_weights(name: str) -> None:
    """`benchmarks.random_weights` needs them, so that a new network is measured without a change there."""
    family = networks.NETWORKS[name]
    if family.index_file is None and name != models.find("SAM-Lite").network:
        assert name in import_module(family.load.__module__.replace(".family", ".parts")).VARIANTS


@pytest.mark.parametrize("name", ["mobile_sam", "efficientvit_sam_l0"])
def test_the_preset_has_the_size_of_the_networks_canvas_and_input(name: str) -> None:
    family = networks.NETWORKS[name]
    parts = import_module(family.load.__module__.replace(".family", ".parts")).VARIANTS[name]()
    assert family.preset.canvas_size == parts.canvas_size
    assert (family.preset.input_size or family.preset.canvas_size) == parts.input_size


def test_the_folder_of_each_family_is_in_the_lists_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.parent.name for path in (ROOT / "ovseg_core").glob("*/family.py")}
    assert {"lite", "sam"} < folders
    layers = [layer for rule in project["tool"]["importlinter"]["contracts"] for layer in rule.get("layers", ())]
    assert folders in [set(layer.split(" : ")) for layer in layers]
    typed = [module for rules in project["tool"]["mypy"]["overrides"] for module in rules["module"]]
    assert {f"ovseg_core.{folder}.*" for folder in folders} <= set(typed)

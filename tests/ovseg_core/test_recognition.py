"""The model of a file of weights, by the names and sizes of its arrays."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ovseg_core import models, networks, pipeline
from ovseg_core.array_shapes import Shapes
from ovseg_core.detectors import DETECTORS
from ovseg_core.errors import OvsegError
from ovseg_core.models import recognition

DATA = Path(__file__).parents[1] / "data"


def of_data(name: str, key: str = "names") -> list[str]:
    return [str(line) for line in np.load(DATA / f"{name}_reference.npz")[key]]


def shapes(names: list[str], channels: int, suffixes: tuple[str, ...] = ("patch_embed.proj.weight",)) -> Shapes:
    """Return the shapes of real names, in the size of a published network."""
    plain = [name.partition(" ")[0] for name in names]
    return {name: (channels if name.endswith(suffixes) else 1,) for name in plain}


def hiera(channels: int, blocks: int) -> Shapes:
    others = [name for name in of_data("sam2") if ".blocks." not in name]
    return shapes([*others, *(f"image_encoder.trunk.blocks.{i}.norm1.weight" for i in range(blocks))], channels)


def hugging_faces(file: str, channels: int) -> Shapes:
    return shapes((DATA / file).read_text().split("\n"), channels, ("patch_embed.projection.weight",))


def efficient_vit(blocks: int, stages: int) -> Shapes:
    names = [f"image_encoder.neck.middle.op_list.{i}.main.conv.weight" for i in range(blocks)]
    names += [f"image_encoder.backbone.stages.{i}.op_list.0.conv.weight" for i in range(stages)]
    return dict.fromkeys(names, (32,))


def dino(kind: str, channels: int) -> Shapes:
    return shapes(of_data("grounding_dino", f"{kind}_names"), channels, ("patch_embeddings.projection.weight",))


WITH_TINY_VIT = {"image_encoder.patch_embed.seq.0.c.weight": (32,)}
CASES: dict[str, list[Shapes]] = {
    "sam_b": [shapes(of_data("sam"), 768), hugging_faces("sam_hugging_face_names.txt", 768)],
    "sam_l": [shapes(of_data("sam"), 1024)],
    "sam_h": [shapes(of_data("sam"), 1280)],
    "sam_hq_b": [
        shapes(of_data("sam_hq"), 768),
        {**hugging_faces("sam_hugging_face_names.txt", 768), **hugging_faces("sam_hq_hugging_face_names.txt", 768)},
    ],
    "sam_hq_l": [shapes(of_data("sam_hq"), 1024)],
    "sam_hq_h": [shapes(of_data("sam_hq"), 1280)],
    "mobile_sam": [WITH_TINY_VIT],
    "sam_hq_light": [{**WITH_TINY_VIT, "mask_decoder.hf_token.weight": (1,)}],
    "sam2_t": [hiera(96, 12)],
    "sam2_s": [hiera(96, 16)],
    "sam2_b+": [hiera(112, 24)],
    "sam2_l": [hiera(144, 48)],
    "efficientvit_sam_l0": [efficient_vit(4, 5)],
    "efficientvit_sam_l1": [efficient_vit(8, 5)],
    "efficientvit_sam_l2": [efficient_vit(12, 5)],
    "efficientvit_sam_xl0": [efficient_vit(6, 6)],
    "efficientvit_sam_xl1": [efficient_vit(12, 6)],
    "grounding_dino_t": [dino("grounding_dino", 96)],
    "grounding_dino_b": [dino("grounding_dino_b", 128)],
    "mm_grounding_dino_t": [dino("mm_grounding_dino", 96)],
}


@pytest.mark.parametrize("network", CASES)
def test_a_network_is_recognised_by_its_arrays(network: str) -> None:
    assert [recognition.network_of(case) for case in CASES[network]] == [network] * len(CASES[network])


def test_every_network_can_be_recognised() -> None:
    assert {*networks.NETWORKS, *DETECTORS} == {*CASES, "sam_lite", "paddlex"}  # these two have tests of their own


@pytest.mark.parametrize("file_name", ["mine.safetensors", "model.safetensors"])
def test_a_pipeline_takes_a_file_or_a_folder_of_weights(file_name: str, tmp_path: Path) -> None:
    shutil.copy(models.find("SAM-Lite").weights, tmp_path / file_name)
    path = tmp_path if file_name == "model.safetensors" else tmp_path / file_name
    assert recognition.recognised(path) == ("SAM-Lite", tmp_path / file_name)
    segment = pipeline("promptable-segmentation", model=str(path), device="cpu")
    assert len(segment(np.zeros((60, 80, 3), np.uint8), points=[[5, 5]])) == 1


@pytest.mark.parametrize("name", ["SAM-H_box", "GroundingDINO-T"])
def test_a_folder_of_paddlex_contains_its_name(name: str, tmp_path: Path) -> None:
    for file in ("inference.json", "inference.pdiparams"):
        (tmp_path / file).touch()
    (tmp_path / "inference.yml").write_text(f"Global: {{model_name: {name}}}")
    assert recognition.recognised(tmp_path) == (name, tmp_path)


def test_what_is_not_recognised_is_named_with_advice(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"layer.weight": np.zeros((2, 2), np.float32)}, other)
    with pytest.raises(OvsegError, match=r"other.safetensors are not those of a known network; .*OVSEG_MODELS_YAML"):
        pipeline("mask-generation", model=other)
    with pytest.raises(OvsegError, match=r"has none of model\.safetensors, .*: name the file of weights"):
        pipeline("mask-generation", model=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there are no weights at none\.pth"):
        pipeline("mask-generation", model="./none.pth")

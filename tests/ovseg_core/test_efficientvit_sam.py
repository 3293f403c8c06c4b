"""A small EfficientViT-SAM encoder in Paddle and OpenVINO, compared with the authors' (weights: `sam_weights`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core import checkpoints, encoding
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.efficientvit_sam import family
from ovseg_core.efficientvit_sam.image_encoder import EfficientViT, StageShape
from ovseg_core.efficientvit_sam.parts import VARIANTS
from ovseg_core.engines import in_openvino
from ovseg_core.quiet_paddle import paddle
from tests.support import sam_weights
from tests.support.sam_weights import CANVAS
from tests.support.small_sam import WithoutDecoder


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(sam_weights.EFFICIENT_REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def encoder(reference: dict[str, np.ndarray]) -> EfficientViT:
    stages = [StageShape(*stage) for stage in sam_weights.EFFICIENT_STAGES]
    network = EfficientViT(stages, 5, 1, sam_weights.EFFICIENT_NECK_EXPANSION, CANVAS // 16)
    network.eval()
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert sorted(shapes) == reference["names"].tolist()
    arrays = {name: sam_weights.array(name, shape) for name, shape in shapes.items()}
    checkpoints.fill(network, Checkpoint("drawn", arrays, linear_is_in_out=False))
    return network


@pytest.mark.parametrize("engine", ["paddle", "openvino"])
def test_embeddings_agree_with_those_of_the_authors_code(
    encoder: EfficientViT, reference: dict[str, np.ndarray], tmp_path: Path, engine: str
) -> None:
    inputs = np.ascontiguousarray(sam_weights.two_canvases()[..., ::2, ::2])
    parts = WithoutDecoder(encoder, CANVAS, inputs.shape[-1])
    if engine == "paddle":
        with paddle.no_grad():
            found = parts.encode(paddle.to_tensor(inputs)).numpy()
    else:
        (tmp_path / "weights").touch()
        [found] = in_openvino.runners("efficient", tmp_path / "weights", lambda: parts, "float32")["encode"](inputs)
    expected = reference["embedding"]
    assert np.abs(found.transpose(0, 3, 1, 2)[:, ::8, ::2, ::2] - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 1  # else two arrays of zeros would agree


def test_the_image_is_resized_to_the_input_but_prompts_refer_to_the_canvas() -> None:
    class Recorder:
        canvas_size = 1024

        def encode(self, canvases: np.ndarray) -> list[tuple[np.ndarray]]:
            return [(canvas,) for canvas in canvases]

    small, large = family.NETWORKS["efficientvit_sam_l0"].preset, family.NETWORKS["efficientvit_sam_xl0"].preset
    photo = np.full((300, 200, 3), 255, np.uint8)
    for preset, side in ((small, 512), (large, 1024)):
        [embedding] = encoding.encode("any", Recorder(), preset, [photo])  # type: ignore[arg-type]  # it only encodes
        assert embedding.features[0].shape == (3, side, side)
        assert embedding.frame.resized_hw == (1024, 683)


def test_each_efficientvit_sam_in_the_table_of_networks_has_layers() -> None:
    assert VARIANTS.keys() == family.NETWORKS.keys()

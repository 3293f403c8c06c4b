"""A small TinyViT in Paddle and OpenVINO, compared with MobileSAM's own (weights from tests/support/sam_weights.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ovseg_core import checkpoints
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.engines import in_openvino
from ovseg_core.quiet_paddle import paddle
from ovseg_core.sam.family import load_parts
from ovseg_core.sam.tiny_vit import TinyViT
from tests.support import sam_weights, torch_files
from tests.support.small_sam import WithoutDecoder


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(sam_weights.TINY_REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def encoder() -> TinyViT:
    network = TinyViT(
        sam_weights.TINY_CHANNELS, sam_weights.TINY_DEPTHS, sam_weights.TINY_HEADS, sam_weights.TINY_WINDOWS
    )
    network.eval()
    linear = checkpoints.linear_weights(network)
    arrays = {}
    for name, value in network.state_dict().items():
        shape = tuple(value.shape)
        arrays[name] = sam_weights.array(f"image_encoder.{name}", shape[::-1] if name in linear else shape)
    checkpoints.fill(network, Checkpoint("drawn", arrays, linear_is_in_out=False))
    return network


def embeddings(encoder: TinyViT, canvases: np.ndarray) -> np.ndarray:
    with paddle.no_grad():
        embedded: np.ndarray = encoder(paddle.to_tensor(canvases)).numpy()
    return embedded


def test_the_translated_encoder_gives_the_same_embeddings(encoder: TinyViT, tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    canvases = sam_weights.two_canvases()
    parts = WithoutDecoder(encoder, canvases.shape[-1])
    [found] = in_openvino.runners("tiny", tmp_path / "weights", lambda: parts, "float32")["encode"](canvases)
    expected = embeddings(encoder, canvases).transpose(0, 2, 3, 1)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_embeddings_agree_with_those_of_the_authors_code(encoder: TinyViT, reference: dict[str, np.ndarray]) -> None:
    expected = reference["embedding"]
    found = embeddings(encoder, sam_weights.two_canvases())[:, ::8]
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(expected).max() > 1  # else two arrays of zeros would agree


def test_an_embedding_does_not_depend_on_the_other_images_of_its_batch(encoder: TinyViT) -> None:
    both = sam_weights.two_canvases()
    together = embeddings(encoder, both)
    alone = np.concatenate([embeddings(encoder, both[i : i + 1]) for i in range(2)])
    assert np.abs(together - alone).max() < 1e-4


def test_a_checkpoint_with_the_public_names_fills_the_network(tmp_path: Path, reference: dict[str, np.ndarray]) -> None:
    """The file also has the arrays that we do not use: counters of batch norms, the head of the classifier."""
    arrays = {}
    for line in reference["public"].tolist():
        name, *shape = line.split()
        if name.endswith("num_batches_tracked"):
            arrays[name] = np.array(1, np.int64)
        else:
            arrays[name] = sam_weights.array(name, tuple(int(side) for side in shape))
    path = torch_files.torch_zip(tmp_path / "mobile_sam.pt", *torch_files.as_torch(arrays))
    filled = load_parts("mobile_sam", path).state_dict()
    for name, is_transposed in (
        ("image_encoder.layers.0.blocks.1.conv2.bn.running_var", False),
        ("image_encoder.layers.2.blocks.5.attn.attention_biases", False),
        ("image_encoder.layers.3.blocks.1.mlp.fc2.weight", True),
    ):
        assert (filled[name].numpy() == (arrays[name].T if is_transposed else arrays[name])).all()

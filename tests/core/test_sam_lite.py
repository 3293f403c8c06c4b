"""SAM-Lite in Paddle against the network it was trained as, on the same weights.

tests/data/sam_lite_reference.npz holds what the original (PyTorch, with segment-anything's prompt encoder and mask
decoder, float32) answered: a thumbnail of the demo's photo, every eighth channel of its embedding, and for each kind of
prompt the four masks' logits (every second pixel) and predicted IoU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.sam import network
from ovseg_core.sam.network import Sam

REFERENCE = Path(__file__).parents[1] / "data" / "sam_lite_reference.npz"
SPEC = models.SAM_LITE


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def sam() -> Sam:
    return network.load(SPEC.network, SPEC.weights, "cpu")


@pytest.fixture(scope="module")
def embedding(sam: Sam, reference: dict[str, np.ndarray]) -> np.ndarray:
    picture = reference["thumb"].repeat(4, axis=0).repeat(4, axis=1)
    canvas = np.zeros((1, 3, 512, 512), np.float32)
    canvas[0, :, : picture.shape[0]] = ((picture - np.float32(SPEC.mean)) / SPEC.std).transpose(2, 0, 1)
    return sam.encode(canvas)[0]


def test_the_image_embedding_agrees_with_the_original(embedding: np.ndarray, reference: dict[str, np.ndarray]) -> None:
    assert np.abs(embedding[::8] - reference["embedding"]).max() < 1e-3


@pytest.mark.parametrize("kind", ["box", "click", "clicks", "box_clicks"])
def test_logits_and_iou_agree_with_the_original(
    sam: Sam, embedding: np.ndarray, reference: dict[str, np.ndarray], kind: str
) -> None:
    boxes, points, labels = (reference.get(f"{kind}_{part}") for part in ("boxes", "pts", "labels"))
    logits, iou = sam.decode(embedding, boxes, points, labels)
    assert np.abs(logits[:, :, ::2, ::2] - reference[f"{kind}_logits"]).max() < 1e-3
    assert np.abs(iou - reference[f"{kind}_iou"]).max() < 1e-3
    assert np.abs(reference[f"{kind}_logits"]).max() > 5  # not two silences that agree


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a: a.pop("image_encoder.stem.bias"), "missing image_encoder.stem.bias"),
        (lambda a: a.update({"spare": np.zeros(1, np.float32)}), "unknown spare"),
        (lambda a: a.update({"mask_decoder.iou_token.weight": np.zeros((1, 8), np.float32)}), "the network wants"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(tmp_path: Path, change: object, complaint: str) -> None:
    arrays = load_file(SPEC.weights)
    change(arrays)  # type: ignore[operator]
    save_file(arrays, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=complaint):
        network.load(SPEC.network, tmp_path / "broken.safetensors", "cpu")


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(OvsegError, match="available: SAM-Lite"):
        models.find("SAM-XXL")


def test_the_bundled_weights_stay_small() -> None:
    assert SPEC.weights.stat().st_size < 16_000_000

"""A small SAM-HQ in Paddle and OpenVINO, compared with the authors' code (weights: tests/support/sam_weights.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.network import Features
from ovseg_core.sam import checkpoint
from ovseg_core.sam.network import Sam
from ovseg_core.sam_hq import family, hugging_face
from ovseg_core.sam_hq.parts import VARIANTS, SamHqParts
from tests.support import sam_weights, small_sam
from tests.support.sam_weights import CANVAS, PROMPTS


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(sam_weights.HQ_REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module", params=["paddle", "openvino"])
def sam(
    request: pytest.FixtureRequest, reference: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Sam:
    folder = tmp_path_factory.mktemp("sam_hq")
    parts = small_sam.load_as(SamHqParts, folder)
    assert sorted(parts.state_dict()) == reference["names"].tolist()
    return small_sam.on(request.param, parts, folder)


@pytest.fixture(scope="module")
def encoded(sam: Sam) -> list[Features]:
    return sam.encode(sam_weights.two_canvases())


def test_the_hq_features_agree_with_those_of_the_authors_code(
    encoded: list[Features], reference: dict[str, np.ndarray]
) -> None:
    embedding, hq_features = encoded[0]
    assert embedding.shape == (CANVAS // 16, CANVAS // 16, 256)
    assert hq_features.shape == (CANVAS // 4, CANVAS // 4, 32)
    assert np.abs(hq_features.transpose(2, 0, 1)[::4, ::4, ::4] - reference["hq_features"]).max() < 1e-3
    assert np.abs(reference["hq_features"]).max() > 1  # else two arrays of zeros would agree


@pytest.mark.parametrize("kind", PROMPTS)
def test_masks_are_the_sums_of_the_masks_of_sam_and_of_the_hq_token(
    sam: Sam, encoded: list[Features], reference: dict[str, np.ndarray], kind: str
) -> None:
    answer = sam.decode(encoded[0], PROMPTS[kind])
    assert np.abs(answer.logits[:, :, ::4, ::4] - reference[f"{kind}_logits"]).max() < 1e-3
    assert np.abs(answer.iou - reference[f"{kind}_iou"]).max() < 1e-3
    assert np.abs(reference[f"{kind}_logits"]).max() > 5  # else two arrays of zeros would agree


def test_prompts_of_two_images_are_decoded_in_one_run_as_in_two(sam: Sam, encoded: list[Features]) -> None:
    together = sam.decode_batch([(features, PROMPTS["box"]) for features in encoded])
    alone = [sam.decode(features, PROMPTS["box"]) for features in encoded]
    for a, b in zip(together, alone, strict=True):
        assert np.abs(a.logits - b.logits).max() < 1e-3
    assert np.abs(alone[0].logits - alone[1].logits).max() > 1


def test_an_embedding_with_hq_features_can_be_stored() -> None:
    features = (np.ones((4, 4, 256), np.float32), np.full((16, 16, 32), 2, np.float32))
    stored = Embedding.from_bytes(Embedding("SAM-HQ-B", features, Frame((30, 40), 64)).to_bytes())
    assert [array.shape for array in stored.features] == [(4, 4, 256), (16, 16, 32)]
    assert stored.nbytes == 4 * (4 * 4 * 256 + 16 * 16 * 32)


def test_names_of_hugging_face_are_translated_to_those_of_the_authors(
    tmp_path: Path, reference: dict[str, np.ndarray]
) -> None:
    """tests/data has the names of a SamModel, and those that a SamHQModel has besides them, by transformers 5.24."""
    data = Path(__file__).parents[1] / "data"
    names = [
        name for model in ("sam", "sam_hq") for name in (data / f"{model}_hugging_face_names.txt").read_text().split()
    ]
    save_file({name: np.zeros(1, np.float32) for name in names}, tmp_path / "a.safetensors")
    found = checkpoint.read(tmp_path / "a.safetensors", hugging_face.RULES).arrays
    assert sorted(found) == reference["names"].tolist()


def test_each_sam_hq_in_the_table_of_networks_has_layers() -> None:
    assert VARIANTS.keys() == family.NETWORKS.keys()

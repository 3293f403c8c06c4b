"""A small SAM on every engine, compared with Meta's own code with the same weights (tests/support/sam_weights.py)."""

from __future__ import annotations

import numpy as np
import pytest

from ovseg_core.sam.network import Sam
from tests.support import sam_weights, small_sam
from tests.support.sam_weights import CANVAS, PROMPTS


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(sam_weights.REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module", params=["paddle", "paddle, as on a GPU", "openvino", "onnxruntime"])
def sam(
    request: pytest.FixtureRequest, reference: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Sam:
    folder = tmp_path_factory.mktemp("sam")
    engine, _, as_on_a_gpu = request.param.partition(", ")
    parts = small_sam.load(folder, on_cpu=not as_on_a_gpu)
    assert sorted(parts.state_dict()) == reference["names"].tolist()
    return small_sam.on(engine, parts, folder)


@pytest.fixture(scope="module")
def features(sam: Sam) -> tuple[np.ndarray, ...]:
    return sam.encode(sam_weights.canvas())[0]


def test_the_image_embedding_agrees_with_meta_s(
    features: tuple[np.ndarray, ...], reference: dict[str, np.ndarray]
) -> None:
    assert np.abs(features[0].transpose(2, 0, 1)[::8] - reference["embedding"]).max() < 1e-3
    assert np.abs(reference["embedding"]).max() > 1  # else two arrays of zeros would agree


def test_an_embedding_does_not_depend_on_the_other_images_of_its_batch(
    sam: Sam, features: tuple[np.ndarray, ...]
) -> None:
    canvas = sam_weights.canvas()
    [other], [first] = sam.encode(np.concatenate([-canvas, canvas]))
    assert np.abs(first - features[0]).max() < 1e-3
    assert np.abs(other - features[0]).max() > 1


@pytest.mark.parametrize("kind", PROMPTS)
def test_masks_and_predicted_iou_agree_with_meta_s(
    sam: Sam, features: tuple[np.ndarray, ...], reference: dict[str, np.ndarray], kind: str
) -> None:
    answer = sam.decode(features, PROMPTS[kind])
    expected, iou = reference[f"{kind}_logits"], reference[f"{kind}_iou"]
    assert answer.logits.shape[:2] == iou.shape
    assert np.abs(answer.logits[:, :, ::2, ::2] - expected).max() < 1e-3
    assert np.abs(answer.iou - iou).max() < 1e-3
    assert np.abs(expected).max() > 5  # else two arrays of zeros would agree
    assert (answer.regions == [0, 0, CANVAS, CANVAS]).all()


@pytest.mark.parametrize("kind", sam_weights.MULTIMASK)
def test_with_multimask_output_every_prompt_has_meta_s_three_masks(
    sam: Sam, features: tuple[np.ndarray, ...], reference: dict[str, np.ndarray], kind: str
) -> None:
    answer = sam.decode(features, PROMPTS[kind], multimask_output=True)
    assert answer.logits.shape[:2] == (len(answer.iou), 3)
    assert np.abs(answer.logits[:, :, ::2, ::2] - reference[f"{kind}_multimask_logits"]).max() < 1e-3
    assert np.abs(answer.iou - reference[f"{kind}_multimask_iou"]).max() < 1e-3


def test_without_multimask_output_a_click_has_one_mask_and_that_is_none_of_the_three(
    sam: Sam, features: tuple[np.ndarray, ...]
) -> None:
    three, one = (sam.decode(features, PROMPTS["click"], multimask_output) for multimask_output in (True, False))
    assert (three.iou.shape, one.iou.shape) == ((2, 3), (2, 1))
    assert np.abs(three.iou - one.iou).min() > 1e-3

"""A small SAM 2 on every engine, compared with Meta's own code with the same weights (tests/support/small_sam2.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ovseg_core import models
from ovseg_core.network import Features, PromptBatch
from ovseg_core.sam2 import checkpoint
from ovseg_core.sam2.network import DELTA, Sam2
from ovseg_core.sam2.parts import VARIANTS, Sam2Parts
from tests.support import sam_weights, small_sam2
from tests.support.sam_weights import CANVAS, PROMPTS


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(small_sam2.REFERENCE) as file:
        return dict(file)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_sam2.file(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def parts(weights: Path) -> Sam2Parts:
    return small_sam2.load(weights)


@pytest.fixture(scope="module", params=["paddle", "openvino", "onnxruntime"])
def sam(request: pytest.FixtureRequest, parts: Sam2Parts, weights: Path) -> Sam2:
    return small_sam2.on(request.param, parts, weights)


@pytest.fixture(scope="module")
def features(sam: Sam2) -> Features:
    return sam.encode(sam_weights.canvas())[0]


def as_map(array: np.ndarray) -> np.ndarray:
    """Return a map of higher resolution (h, w, 4 or 16, C) as (C, 2h, 2w) or (C, 4h, 4w)."""
    h, w, cells, channels = array.shape
    while cells > 1:
        cells //= 4
        array = array.reshape(h, w, 2, 2, cells, channels).transpose(0, 2, 1, 3, 4, 5)
        h, w = 2 * h, 2 * w
        array = array.reshape(h, w, cells, channels)
    return array[:, :, 0].transpose(2, 0, 1)


def test_the_embedding_and_the_maps_of_higher_resolution_agree_with_meta_s(
    features: Features, reference: dict[str, np.ndarray]
) -> None:
    embedding, quarters, sixteenths = features
    assert np.abs(embedding.transpose(2, 0, 1)[::16] - reference["map1"]).max() < 1e-4 * np.abs(reference["map1"]).max()
    assert np.abs(as_map(quarters)[::8, ::2, ::2] - reference["map2"]).max() < 1e-4 * np.abs(reference["map2"]).max()
    assert np.abs(as_map(sixteenths)[::4, ::4, ::4] - reference["map4"]).max() < 1e-4 * np.abs(reference["map4"]).max()
    assert all(np.abs(reference[name]).max() > 1 for name in ("map1", "map2", "map4"))  # else zeros would agree


def test_features_do_not_depend_on_the_other_images_of_a_batch(sam: Sam2, features: Features) -> None:
    others, again = sam.encode(np.concatenate([-sam_weights.canvas(), sam_weights.canvas()]))
    for found, other, expected in zip(again, others, features, strict=True):
        assert np.abs(found - expected).max() < 1e-3
        assert np.abs(other - expected).max() > 1


@pytest.mark.parametrize("kind", PROMPTS)
def test_masks_and_predicted_iou_agree_with_meta_s(
    sam: Sam2, features: Features, reference: dict[str, np.ndarray], kind: str
) -> None:
    answer = sam.decode(features, PROMPTS[kind])
    expected, iou = reference[f"{kind}_logits"], reference[f"{kind}_iou"]
    assert answer.logits.shape[:2] == iou.shape
    assert np.abs(answer.logits[:, :, ::4, ::4] - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(answer.iou - iou).max() < 1e-4
    assert np.abs(expected).max() > 5  # else two arrays of zeros would agree
    assert (answer.regions == [0, 0, CANVAS, CANVAS]).all()


def answers(logits: list[float], iou: list[float]) -> tuple[float, float]:
    """Return the logit and the IoU that are answered for a box if the network's four masks have these logits."""
    logits_of_masks = np.array(logits, np.float32).reshape(1, 4, 1, 1) * np.ones((2, 2), np.float32)
    runs = {
        "prompts": lambda *_: (np.zeros((1, 3, 256), np.float32),),
        "decode": lambda *_: (logits_of_masks, np.array([iou], np.float32)),
    }
    sam = Sam2(runs, CANVAS)
    answer = sam.decode((np.zeros((1, 1, 256), np.float32),), PromptBatch(np.zeros((1, 4), np.float32)))
    assert answer.logits.shape == (1, 1, 2, 2)
    return float(answer.logits[0, 0, 0, 0]), float(answer.iou[0, 0])


@pytest.mark.parametrize(
    ("logit", "chosen"),
    [(1.0, 0), (DELTA / 2, 3), (-1.0, 0)],  # far above, near the threshold of the mask, and an empty mask
)
def test_a_mask_that_is_not_stable_is_replaced_by_the_best_of_the_others(logit: float, chosen: int) -> None:
    logits, iou = [logit, 2.0, 3.0, 4.0], [0.1, 0.4, 0.3, 0.9]
    assert answers(logits, iou) == pytest.approx((logits[chosen], iou[chosen]))


def test_a_mask_input_is_limited_as_sam_2_limits_the_masks_that_it_returns(sam: Sam2, features: Features) -> None:
    mask = np.where(np.arange(CANVAS // 4) < 30, 90, -90).astype(np.float32) * np.ones((1, CANVAS // 4, 1), np.float32)
    several = [PROMPTS["clicks"]._replace(mask_inputs=masks) for masks in (mask, np.clip(mask, -32, 32))]
    given, limited = (sam.decode(features, prompts) for prompts in several)
    assert np.array_equal(given.logits, limited.logits)


def test_a_file_that_lacks_a_parameter_is_refused_with_its_name(weights: Path, tmp_path: Path) -> None:
    arrays = checkpoint.read(weights).arrays
    del arrays["image_encoder.neck.conv_s0.bias"]
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, tmp_path / "sam2.safetensors")
    with pytest.raises(ValueError, match=r"missing image_encoder\.neck\.conv_s0\.bias"):
        small_sam2.load(tmp_path / "sam2.safetensors")


def test_names_of_hugging_face_are_translated_to_those_of_our_layers(parts: Sam2Parts, tmp_path: Path) -> None:
    """tests/data/sam2_hugging_face_names.txt lists the names of a Sam2VideoModel's state dict, by transformers 5.24."""
    names = (Path(__file__).parents[1] / "data" / "sam2_hugging_face_names.txt").read_text().split()
    save_file({name: np.zeros((4, 1), np.float32) for name in names}, tmp_path / "a.safetensors")
    found = checkpoint.read(tmp_path / "a.safetensors").arrays
    assert sorted(found) == sorted(VARIANTS["sam2_t"]().state_dict())


@pytest.mark.parametrize("name", [name for name in models.all_models() if name.startswith("SAM2.1")])
def test_each_size_has_an_address_and_layers(name: str) -> None:
    spec = models.find(name)
    assert spec.network in VARIANTS
    assert spec.urls == (f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/{spec.weights.name}",)

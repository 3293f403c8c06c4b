"""Compare with SAM-HQ's own `SamPredictor` and Hugging Face's `SamHQModel`, with random weights in their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovseg_core import canvas, models
from ovseg_core.canvas import Frame
from ovseg_core.network import PromptBatch
from ovseg_core.segmenter import Segmenter
from tests.parity.pair import ENGINES, PROMPTS, Pair, relative
from tests.support import originals

torch = pytest.importorskip("torch")
with originals.importable():
    sam_hq = pytest.importorskip("segment_anything_hq")

VARIANTS = {"SAM-HQ-light": "vit_tiny", "SAM-HQ-B": "vit_b", "SAM-HQ-L": "vit_l", "SAM-HQ-H": "vit_h"}


@pytest.fixture(scope="module", params=VARIANTS)
def pair(request: pytest.FixtureRequest, folder: Path, photo: np.ndarray) -> Pair:
    torch.manual_seed(0)
    theirs = sam_hq.sam_model_registry[VARIANTS[request.param]]()
    return Pair(request.param, theirs, sam_hq.SamPredictor, folder, photo)


def hq_features(theirs: Any) -> np.ndarray:
    """Return the HQ features of the original for its photo, (256, 256, 32)."""
    decoder, early = theirs.model.mask_decoder, theirs.interm_features[0].permute(0, 3, 1, 2)
    with torch.no_grad():
        fused = decoder.embedding_encoder(theirs.features) + decoder.compress_vit_feat(early)
    features: np.ndarray = fused[0].numpy().transpose(1, 2, 0)
    return features


@pytest.mark.parametrize("engine", ENGINES)
def test_the_embedding_and_the_hq_features_agree_with_those_of_the_original(pair: Pair, engine: str) -> None:
    embedding, features = pair.embeddings[engine].features
    assert relative(embedding.transpose(2, 0, 1), pair.theirs.get_image_embedding()[0].numpy()) < 1e-4
    assert relative(features, hq_features(pair.theirs)) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", PROMPTS)
def test_low_res_masks_and_masks_agree_with_those_of_the_original(pair: Pair, engine: str, kind: str) -> None:
    """For a click, the original returns the candidate with the highest predicted IoU, and we return all three."""
    [mask], [iou], [logits] = pair.predict_theirs(PROMPTS[kind])
    our_logits, our_iou = pair.low_res_masks(engine, PROMPTS[kind])
    assert len(our_iou) == (3 if kind == "click" else 1)
    best = our_iou.argmax()
    assert relative(our_logits[best], logits) < 1e-4
    assert abs(our_iou[best] - iou) < 1e-4 * abs(iou)
    assert (pair.full(engine, our_logits[best]) == mask).mean() > 0.999


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_input_is_refined_as_by_the_original(pair: Pair, engine: str) -> None:
    pair.check_mask_input(engine)


def use_attended_image(decoder: Any) -> None:
    """Let the decoder of `transformers` compute masks from the image after attention, as SAM-HQ's authors do.

    `transformers` 5.24.0 discards it, and computes masks from the transposed image before attention.
    """

    def write_back(_: Any, inputs: Any, named: dict[str, Any], outputs: tuple[Any, Any]) -> None:
        before = named["image_embeddings"]  # N, C, h, w; the decoder will transpose h and w
        count, channels, h, w = before.shape
        before.copy_(outputs[1].reshape(count, h, w, channels).permute(0, 3, 2, 1))

    decoder.transformer.register_forward_hook(write_back, with_kwargs=True)


def test_masks_agree_with_those_of_transformers(folder: Path, photo: np.ndarray) -> None:
    """`transformers` returns three candidates for a click, as we do, but the best is first."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.SamHQConfig(
        vision_config={"initializer_range": 0.02},  # the default's features are 1e-20
        mask_decoder_config={"layer_norm_eps": 1e-5},  # the authors' number; random tokens are small enough to show it
    )
    theirs = transformers.SamHQModel(config).eval()
    use_attended_image(theirs.mask_decoder)
    theirs.save_pretrained(folder / "hf_hq")
    spec = replace(models.find("SAM-HQ-B"), weights=folder / "hf_hq" / "model.safetensors")
    ours = Segmenter.of(spec, "cpu", "paddle", "float32")
    frame = Frame((photo.shape[0], photo.shape[1]), 1024)
    pixels = canvas.draw(photo, frame, spec.preset.mean, spec.preset.std, spec.preset.resize)
    boxes = np.array([[100, 50, 600, 500], [0, 0, 1024, 680]], np.float32)
    click = np.array([[[400, 300]]], np.float32)
    with torch.no_grad():
        embedding, early = theirs.get_image_embeddings(torch.from_numpy(pixels))
        encoded = {"image_embeddings": embedding, "intermediate_embeddings": early}
        of_boxes = theirs(**encoded, input_boxes=torch.from_numpy(boxes)[None], multimask_output=False)
        of_click = theirs(**encoded, input_points=torch.from_numpy(click)[None], multimask_output=True)
    [features] = ours.network.encode(pixels)
    assert relative(features[0].transpose(2, 0, 1), embedding[0].numpy()) < 1e-4
    # With random weights the logits are sums that nearly cancel: rounding changes more than 1e-4 of them.
    assert relative(ours.network.decode(features, PromptBatch(boxes)).logits, of_boxes.pred_masks[0].numpy()) < 5e-4
    answer = ours.network.decode(features, PromptBatch(None, click, np.ones((1, 1), np.float32)))
    best_first = np.argsort(-answer.iou[0])
    assert relative(answer.logits[0, best_first], of_click.pred_masks[0, 0].numpy()) < 5e-4

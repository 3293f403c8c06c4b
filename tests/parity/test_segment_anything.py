"""Compare with Meta's `SamPredictor` on a whole photo, in each real size, with random weights in Meta's own files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovseg import demo
from ovseg.model_check import questions
from ovseg_core import image, low_res_mask
from ovseg_core.mask_prompt import MaskPrompt
from ovseg_core.prompts import Prompt
from tests.parity.pair import ENGINES, PROMPTS, Pair, relative
from tests.support import originals
from training import check_answers

torch = pytest.importorskip("torch")
with originals.importable():
    segment_anything = pytest.importorskip("segment_anything")
    mobile_sam = pytest.importorskip("mobile_sam")

VARIANTS = {"SAM-B": "vit_b", "SAM-H": "vit_h", "MobileSAM": "vit_t"}


@pytest.fixture(scope="module", params=VARIANTS)
def pair(request: pytest.FixtureRequest, folder: Path, photo: np.ndarray) -> Pair:
    name: str = request.param
    package = mobile_sam if name == "MobileSAM" else segment_anything
    torch.manual_seed(0)
    return Pair(name, package.sam_model_registry[VARIANTS[name]](), package.SamPredictor, folder, photo)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_embedding_agrees_with_that_of_the_original(pair: Pair, engine: str) -> None:
    ours = pair.embeddings[engine].features[0].transpose(2, 0, 1)
    assert relative(ours, pair.theirs.get_image_embedding()[0].numpy()) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", PROMPTS)
def test_low_res_masks_and_masks_agree_with_those_of_the_original(pair: Pair, engine: str, kind: str) -> None:
    pair.check_masks(engine, PROMPTS[kind])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_input_is_refined_as_by_the_original(pair: Pair, engine: str) -> None:
    pair.check_mask_input(engine)


def test_answers_recorded_from_the_original_are_those_that_the_check_of_a_model_finds(
    pair: Pair, photo: np.ndarray
) -> None:
    known = check_answers.of_predictor(pair.theirs, "the original", "")
    pair.theirs.set_image(photo)  # as the other tests expect
    ours = pair.ours["openvino"]
    embedding = ours.encode(image.decode(demo.PHOTO.read_bytes(), 10**8))
    prompts = [prompt for kind, several in questions.QUESTIONS.items() if kind != "mask" for prompt in several]
    for prompt, mask in zip(prompts, ours.decode(embedding, prompts), strict=True):
        agreement = known.agreement(prompt, [mask])
        assert agreement is not None
        assert agreement[0] > 0.98
        assert agreement[1] < 0.001


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("multimask_output", [True, False])
@pytest.mark.parametrize("kind", [*PROMPTS, "mask"])
def test_multimask_output_means_the_same_as_in_the_original(
    pair: Pair, engine: str, multimask_output: bool, kind: str
) -> None:
    _, _, earlier = pair.predict_theirs(PROMPTS["box"])
    prompt = PROMPTS.get(kind) or Prompt(mask=ellipse(pair.image_hw))
    for mask_input in (earlier[0],) if kind == "mask" else (None, earlier[0]):
        _, iou, logits = pair.predict_theirs(prompt, mask_input, multimask_output)
        our_logits, our_iou = pair.low_res_masks(engine, prompt, mask_input, multimask_output)
        assert our_logits.shape == logits.shape == (3 if multimask_output else 1, 256, 256)
        assert relative(our_logits, logits) < 1e-4
        assert relative(our_iou, iou) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
def test_candidates_are_the_masks_of_the_original_with_multimask_output(pair: Pair, engine: str) -> None:
    for prompt in PROMPTS.values():
        masks, iou, _ = pair.predict_theirs(prompt, multimask_output=True)
        [candidates] = pair.ours[engine].candidates(pair.embeddings[engine], [prompt])
        for ours, i in zip(candidates, np.argsort(-iou, kind="stable"), strict=True):
            assert (ours.full() == masks[i]).mean() > 0.999


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_of_pixels_is_refined_as_by_the_original_with_the_logits_of_the_mask(pair: Pair, engine: str) -> None:
    given = ellipse(pair.image_hw)
    logits = low_res_mask.of(given, pair.embeddings[engine].frame, 4)
    for kind in ("box", "signed clicks", "box and clicks"):
        prompt = replace(PROMPTS[kind], mask=given)
        masks, _, _ = pair.predict_theirs(prompt, logits, multimask_output=False)
        [ours] = pair.ours[engine].decode(pair.embeddings[engine], [prompt])
        assert (ours.full() == masks[0]).mean() > 0.999


def ellipse(image_hw: tuple[int, int]) -> MaskPrompt:
    """Return the mask of an ellipse in the middle of the image."""
    y, x = np.mgrid[: image_hw[0], : image_hw[1]]
    return MaskPrompt.of(((x / image_hw[1] - 0.5) / 0.3) ** 2 + ((y / image_hw[0] - 0.5) / 0.2) ** 2 < 1)

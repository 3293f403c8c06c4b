"""Compare with Meta's `SamPredictor` on a whole photo, in each real size, with random weights in Meta's own files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovseg import demo
from ovseg.model_check import questions
from ovseg_core import image, models
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from tests.support import originals
from training import check_answers

torch = pytest.importorskip("torch")
with originals.importable():
    segment_anything = pytest.importorskip("segment_anything")
    mobile_sam = pytest.importorskip("mobile_sam")

BOX = (60.0, 20.0, 305.0, 210.5)
CLICKS = (((220.0, 90.0), (290.0, 20.0), (100.5, 300.0)), (1, 0, 1))
PROMPTS = {
    "box": Prompt(box=BOX),
    "click": Prompt.of_point(220, 90),
    "signed clicks": Prompt(None, *CLICKS),
    "box and clicks": Prompt(BOX, *CLICKS),
}
ENGINES = ("paddle", "openvino", "onnxruntime")
VARIANTS = {"SAM-B": "vit_b", "SAM-H": "vit_h", "MobileSAM": "vit_t"}


class Pair:
    """Our segmenters and Meta's predictor, with the same weights and the embedding of the same photo."""

    def __init__(self, name: str, folder: Path, photo: np.ndarray) -> None:
        package = mobile_sam if name == "MobileSAM" else segment_anything
        torch.manual_seed(0)
        theirs = package.sam_model_registry[VARIANTS[name]]().eval()
        with torch.no_grad():
            for parameter_name, parameter in theirs.named_parameters():
                if "pos" in parameter_name or "attention_biases" in parameter_name:
                    parameter.normal_(0, 0.05)  # zeros would hide an error
        theirs.train().eval()  # `eval` makes TinyViT compute its attention biases again
        path = folder / f"{VARIANTS[name]}.pth"
        torch.save(theirs.state_dict(), path)
        self.theirs = package.SamPredictor(theirs)
        self.theirs.set_image(photo)
        spec = replace(models.find(name), weights=path)
        self.ours = {engine: Segmenter.of(spec, "cpu", engine, "float32") for engine in ENGINES}
        self.embeddings = {engine: ours.encode(photo) for engine, ours in self.ours.items()}
        path.unlink()  # it has up to 2.6 GB

    def low_res_masks(
        self, engine: str, prompt: Prompt, mask_input: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.ours[engine].low_res_masks(self.embeddings[engine], prompt, mask_input)

    def full(self, engine: str, low_res_mask: np.ndarray) -> np.ndarray:
        return self.ours[engine].mask_of(self.embeddings[engine], low_res_mask, 1.0).full()

    def predict_theirs(self, prompt: Prompt, mask_input: np.ndarray | None = None) -> tuple[Any, Any, Any]:
        has_points = bool(prompt.points)
        predicted: tuple[Any, Any, Any] = self.theirs.predict(
            point_coords=np.array(prompt.points) if has_points else None,
            point_labels=np.array(prompt.labels) if has_points else None,
            box=np.array(prompt.box) if prompt.box else None,
            mask_input=None if mask_input is None else mask_input[None],
            multimask_output=prompt.box is None and len(prompt.points) == 1,
        )
        return predicted


@pytest.fixture(scope="module", params=VARIANTS)
def pair(request: pytest.FixtureRequest, folder: Path, photo: np.ndarray) -> Pair:
    return Pair(request.param, folder, photo)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("engine", ENGINES)
def test_the_embedding_agrees_with_that_of_the_original(pair: Pair, engine: str) -> None:
    ours = pair.embeddings[engine].features[0].transpose(2, 0, 1)
    assert relative(ours, pair.theirs.get_image_embedding()[0].numpy()) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", PROMPTS)
def test_low_res_masks_and_masks_agree_with_those_of_the_original(pair: Pair, engine: str, kind: str) -> None:
    masks, iou, logits = pair.predict_theirs(PROMPTS[kind])
    our_logits, our_iou = pair.low_res_masks(engine, PROMPTS[kind])
    assert relative(our_logits, logits) < 1e-4
    assert relative(our_iou, iou) < 1e-4
    for ours, mask, theirs in zip(our_logits, masks, logits, strict=True):
        assert (pair.full(engine, ours) == mask).mean() > 0.999
        assert (pair.full(engine, theirs) == mask).mean() > 0.9999  # tests only our resizing


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_input_is_refined_as_by_the_original(pair: Pair, engine: str) -> None:
    _, _, earlier = pair.predict_theirs(PROMPTS["box"])
    _, _, logits = pair.predict_theirs(PROMPTS["signed clicks"], earlier[0])
    ours, _ = pair.low_res_masks(engine, PROMPTS["signed clicks"], earlier[0])
    assert relative(ours, logits) < 1e-4
    unrefined, _ = pair.low_res_masks(engine, PROMPTS["signed clicks"])
    assert relative(unrefined, logits) > 1e-3  # the mask input has an effect


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

"""Compare with Meta's `SAM2ImagePredictor` and Hugging Face's `Sam2Model`, with random weights in their own files."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovseg_core import models
from ovseg_core.network import PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from tests.parity.pair import ENGINES, PROMPTS, relative

torch = pytest.importorskip("torch")
sam2 = pytest.importorskip("sam2")

pytestmark = pytest.mark.timeout(3600)  # on a busy machine, making a network of SAM2.1-L takes more than ten minutes

SIZES = {"SAM2.1-T": "t", "SAM2.1-S": "s", "SAM2.1-B+": "b+", "SAM2.1-L": "l"}


def original(name: str, seed: int = 0) -> Any:
    """Return Meta's network with random weights."""
    from sam2.build_sam import build_sam2

    torch.manual_seed(seed)
    theirs = build_sam2(f"configs/sam2.1/sam2.1_hiera_{SIZES[name]}.yaml", device="cpu")
    with torch.no_grad():
        for parameter_name, parameter in theirs.named_parameters():
            if "pos_embed" in parameter_name or "mem_embed" in parameter_name:
                parameter.normal_(0, 0.3)  # zeros, and values that are nearly zero, would hide an error
            elif parameter_name.endswith("bias"):
                parameter.normal_(0, 0.05)
    return theirs


def as_maps(features: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Return our features in the order of Meta's: (256, h, w), (64, 2h, 2w) and (32, 4h, 4w)."""
    embedding, quarters, sixteenths = features
    h, w, _ = embedding.shape
    quarters = quarters.reshape(h, w, 2, 2, -1).transpose(4, 0, 2, 1, 3)
    sixteenths = sixteenths.reshape(h, w, 2, 2, 2, 2, -1).transpose(6, 0, 2, 4, 1, 3, 5)
    return [embedding.transpose(2, 0, 1), quarters.reshape(-1, 2 * h, 2 * w), sixteenths.reshape(-1, 4 * h, 4 * w)]


class Pair:
    """Our segmenters and Meta's predictor, with the same weights and the embedding of the same photo."""

    def __init__(self, name: str, folder: Path, photo: np.ndarray, engines: tuple[str, ...]) -> None:
        from sam2.sam2_image_predictor import SAM2ImagePredictor

        theirs = original(name)
        path = folder / f"{name}.pt"
        torch.save({"model": theirs.state_dict()}, path)
        self.theirs = SAM2ImagePredictor(theirs)
        spec = replace(models.find(name), weights=path)
        self.ours = {engine: Segmenter.of(spec, "cpu", engine, "float32") for engine in engines}
        self.see(photo)
        path.unlink()

    def see(self, photo: np.ndarray) -> None:
        self.theirs.set_image(photo)
        self.embeddings = {engine: ours.encode(photo) for engine, ours in self.ours.items()}

    def their_features(self) -> list[np.ndarray]:
        features = self.theirs._features
        return [array[0].numpy() for array in (features["image_embed"], *features["high_res_feats"][::-1])]

    def low_res_masks(
        self, engine: str, prompt: Prompt, mask_input: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.ours[engine].low_res_masks(self.embeddings[engine], prompt, mask_input)

    def full(self, engine: str, low_res_mask: np.ndarray) -> np.ndarray:
        return self.ours[engine].mask_of(self.embeddings[engine], low_res_mask, 1.0).full()

    def predict_theirs(
        self, prompt: Prompt, mask_input: np.ndarray | None = None, multimask_output: bool | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        has_points = bool(prompt.points)
        is_ambiguous = prompt.box is None and len(prompt.points) == 1
        masks, iou, logits = self.theirs.predict(
            point_coords=np.array(prompt.points) if has_points else None,
            point_labels=np.array(prompt.labels) if has_points else None,
            box=np.array(prompt.box) if prompt.box else None,
            mask_input=None if mask_input is None else mask_input[None],
            multimask_output=is_ambiguous if multimask_output is None else multimask_output,
        )
        return masks.astype(bool), iou, logits

    def agree(self, engine: str, prompt: Prompt, mask_input: np.ndarray | None = None) -> None:
        masks, iou, logits = self.predict_theirs(prompt, mask_input)
        our_logits, our_iou = self.low_res_masks(engine, prompt, mask_input)
        assert relative(our_logits, logits) < 1e-4
        assert relative(our_iou, iou) < 1e-4
        for ours, mask, theirs in zip(our_logits, masks, logits, strict=True):
            assert (self.full(engine, ours) == mask).mean() > 0.999
            assert (self.full(engine, theirs) == mask).mean() > 0.9999  # tests only our resizing


@pytest.fixture(scope="module")
def tiny(folder: Path, photo: np.ndarray) -> Pair:
    return Pair("SAM2.1-T", folder, photo, ENGINES)


@pytest.fixture(scope="module", params=list(SIZES)[1:])
def larger(request: pytest.FixtureRequest, folder: Path, photo: np.ndarray) -> Iterator[Pair]:
    pair = Pair(request.param, folder, photo, ("openvino",))
    yield pair
    del pair
    gc.collect()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_features_agree_with_those_of_the_original(tiny: Pair, engine: str) -> None:
    for ours, theirs in zip(as_maps(tiny.embeddings[engine].features), tiny.their_features(), strict=True):
        assert relative(ours, theirs) < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", PROMPTS)
def test_low_res_masks_and_masks_agree_with_those_of_the_original(tiny: Pair, engine: str, kind: str) -> None:
    tiny.agree(engine, PROMPTS[kind])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_mask_input_is_refined_as_by_the_original(tiny: Pair, engine: str) -> None:
    _, _, earlier = tiny.predict_theirs(PROMPTS["box"])
    tiny.agree(engine, PROMPTS["signed clicks"], earlier[0])
    refined, _ = tiny.low_res_masks(engine, PROMPTS["signed clicks"], earlier[0])
    unrefined, _ = tiny.low_res_masks(engine, PROMPTS["signed clicks"])
    assert relative(unrefined, refined) > 1e-3  # the mask input has an effect


def test_both_a_stable_and_an_unstable_mask_are_replaced_as_by_the_original(tiny: Pair) -> None:
    """Mask 0 is answered if it is stable, otherwise the best of the others: boxes of many sizes have both kinds."""
    replaced = []
    for side in range(20, 300, 40):
        prompt = Prompt(box=(10.0, 15.0, 10.0 + side, 15.0 + side))
        tiny.agree("openvino", prompt)
        _, iou, _ = tiny.predict_theirs(prompt)
        _, others, _ = tiny.predict_theirs(prompt, multimask_output=True)
        replaced.append(bool(np.isclose(iou[0], others.max())))
    assert True in replaced


def test_the_features_and_masks_of_the_larger_sizes_agree_with_those_of_the_original(larger: Pair) -> None:
    for ours, theirs in zip(as_maps(larger.embeddings["openvino"].features), larger.their_features(), strict=True):
        assert relative(ours, theirs) < 1e-4
    for prompt in PROMPTS.values():
        larger.agree("openvino", prompt)


def test_images_of_odd_sizes_agree_with_the_original(folder: Path, photo: np.ndarray) -> None:
    pair = Pair("SAM2.1-T", folder, photo, ("openvino",))
    for height, width in [(500, 333), (41, 640), (1, 7), (1400, 1100)]:
        pair.see(np.resize(photo, (height, width, 3)))
        pair.agree("openvino", Prompt(box=(0.1 * width, 0.2 * height, 0.7 * width, 0.9 * height)))
        pair.agree("openvino", Prompt.of_point(0.5 * width, 0.5 * height))


def test_features_and_masks_agree_with_those_of_transformers(folder: Path, photo: np.ndarray) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    theirs = transformers.Sam2Model(transformers.Sam2Config()).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "pos_embed" in name or "memory_embedding" in name:
                parameter.normal_(0, 0.3)
        # Two copies of one array; in a network that was not loaded from a file they differ.
        place = theirs.shared_image_embedding.positional_embedding
        theirs.prompt_encoder.shared_embedding.positional_embedding.copy_(place)
    theirs.save_pretrained(folder / "hf")
    spec = replace(models.find("SAM2.1-T"), weights=folder / "hf" / "model.safetensors")
    ours = Segmenter.of(spec, "cpu", "openvino", "float32")
    pixels = ours.canvas(photo)
    boxes = np.array([[100, 50, 600, 500], [0, 0, 1024, 680]], np.float32)
    with torch.no_grad():
        maps = theirs.get_image_embeddings(torch.from_numpy(pixels))
        answer = theirs(image_embeddings=maps, input_boxes=torch.from_numpy(boxes)[None], multimask_output=True)
    [features] = ours.network.encode(pixels)
    for found, expected in zip(as_maps(features), maps[::-1], strict=True):
        assert relative(found, expected[0].numpy()) < 1e-4
    candidates = ours.network.decode(features, PromptBatch(boxes), multimask_output=True)
    assert relative(candidates.logits, answer.pred_masks[0].numpy()) < 1e-4
    assert relative(candidates.iou, answer.iou_scores[0].numpy()) < 1e-4

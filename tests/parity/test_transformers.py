"""Compare with Hugging Face's `SamModel` in the size of SAM-B, with random weights in the file that it saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovseg_core import canvas, models
from ovseg_core.canvas import Frame
from ovseg_core.models import recognition
from ovseg_core.network import PromptBatch
from ovseg_core.segmenter import Segmenter

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def models_of_both(folder: Path) -> tuple[Any, Segmenter]:
    """Return transformers' model and ours, with the same weights."""
    torch.manual_seed(0)
    theirs = transformers.SamModel(transformers.SamConfig()).eval()
    theirs.save_pretrained(folder / "hf")
    spec = replace(models.find("SAM-B"), weights=folder / "hf" / "model.safetensors")
    return theirs, Segmenter.of(spec, "cpu", "paddle", "float32")


def test_embeddings_and_masks_agree_with_those_of_transformers(
    models_of_both: tuple[Any, Segmenter], photo: np.ndarray
) -> None:
    theirs, ours = models_of_both
    spec = ours.spec
    frame = Frame(photo.shape[:2], 1024)
    pixels = canvas.draw(photo, frame, spec.preset.mean, spec.preset.std, spec.preset.resize)
    boxes = np.array([[100, 50, 600, 500], [0, 0, 1024, 680]], np.float32)
    with torch.no_grad():
        embedding = theirs.get_image_embeddings(torch.from_numpy(pixels))
        answer = theirs(image_embeddings=embedding, input_boxes=torch.from_numpy(boxes)[None], multimask_output=False)
    [features] = ours.network.encode(pixels)
    assert np.abs(features[0].transpose(2, 0, 1) - embedding[0].numpy()).max() < 1e-4 * float(embedding.abs().max())
    found = ours.network.decode(features, PromptBatch(boxes))
    expected = answer.pred_masks[0].numpy()
    # With random weights the logits are sums that nearly cancel, 0.01 at most: rounding changes 2e-4 of them.
    assert np.abs(found.logits - expected).max() < 5e-4 * np.abs(expected).max()


@pytest.mark.usefixtures("models_of_both")
def test_the_folder_that_transformers_wrote_is_recognised(folder: Path) -> None:
    assert recognition.recognised(folder / "hf") == ("SAM-B", folder / "hf" / "model.safetensors")


KINDS = ("box", "click", "clicks", "box and clicks")


@pytest.mark.parametrize("multimask_output", [True, False])
@pytest.mark.parametrize("has_mask", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_prompts_of_every_kind_agree_with_those_of_transformers(
    models_of_both: tuple[Any, Segmenter], kind: str, has_mask: bool, multimask_output: bool
) -> None:
    theirs, ours = models_of_both
    random = np.random.default_rng(0)
    embedding = random.normal(size=(64, 64, 256)).astype(np.float32)
    count = {"click": 1, "clicks": 3}.get(kind, 2)
    points = random.uniform(0, 1024, (1, count, 2)).astype(np.float32) if "click" in kind else None
    labels = np.array([[1, 0, 1][:count]], np.float32)
    box = np.array([[100, 50, 600, 500]], np.float32) if "box" in kind else None
    masks = random.normal(size=(1, 256, 256)).astype(np.float32) if has_mask else None
    with torch.no_grad():
        answer = theirs(
            image_embeddings=torch.from_numpy(embedding.transpose(2, 0, 1)[None].copy()),
            input_points=None if points is None else torch.from_numpy(points)[None],
            input_labels=None if points is None else torch.from_numpy(labels)[None].long(),
            input_boxes=None if box is None else torch.from_numpy(box)[None],
            input_masks=None if masks is None else torch.from_numpy(masks)[None],
            multimask_output=multimask_output,
        )
    batch = PromptBatch(box, points, None if points is None else labels, masks)
    found = ours.network.decode((embedding,), batch, multimask_output)
    expected = answer.pred_masks[0].numpy()
    assert found.logits.shape == expected.shape
    assert np.abs(found.logits - expected).max() < 5e-4 * np.abs(expected).max()
    assert np.abs(found.iou - answer.iou_scores[0].numpy()).max() < 1e-4

"""Compare with Hugging Face's `SamModel` in the size of SAM-B, with random weights in the file that it saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import canvas, models
from ovseg_core.canvas import Frame
from ovseg_core.network import PromptBatch
from ovseg_core.segmenter import Segmenter

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def test_embeddings_and_masks_agree_with_those_of_transformers(folder: Path, photo: np.ndarray) -> None:
    torch.manual_seed(0)
    theirs = transformers.SamModel(transformers.SamConfig()).eval()
    theirs.save_pretrained(folder / "hf")
    spec = replace(models.find("SAM-B"), weights=folder / "hf" / "model.safetensors")
    ours = Segmenter.of(spec, "cpu", "paddle", "float32")
    frame = Frame(photo.shape[:2], 1024)
    pixels = canvas.letterbox(photo, frame, spec.preset.mean, spec.preset.std, spec.preset.resize)
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

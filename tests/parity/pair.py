"""Our segmenters and an original predictor with the interface of Meta's `SamPredictor`: same weights, same photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovseg_core import models
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

torch = pytest.importorskip("torch")

BOX = (60.0, 20.0, 305.0, 210.5)
CLICKS = (((220.0, 90.0), (290.0, 20.0), (100.5, 300.0)), (1, 0, 1))
PROMPTS = {
    "box": Prompt(box=BOX),
    "click": Prompt.of_point(220, 90),
    "signed clicks": Prompt(None, *CLICKS),
    "box and clicks": Prompt(BOX, *CLICKS),
}
ENGINES = ("paddle", "openvino", "onnxruntime")


class Pair:
    """The same weights in both. The original's are random, and reach ours through a file of its own format."""

    def __init__(self, name: str, theirs: Any, predictor: Any, folder: Path, photo: np.ndarray) -> None:
        """`theirs` is the original model of our model `name`, and `predictor` the class that predicts with it."""
        with torch.no_grad():
            for parameter_name, parameter in theirs.named_parameters():
                if "pos" in parameter_name or "attention_biases" in parameter_name:
                    parameter.normal_(0, 0.05)  # zeros would hide an error
        theirs.train().eval()  # `eval` makes TinyViT compute its attention biases again
        path = folder / f"{name}.pth"
        torch.save(theirs.state_dict(), path)
        self.theirs = predictor(theirs)
        self.theirs.set_image(photo)
        spec = replace(models.find(name), weights=path)
        self.ours = {engine: Segmenter.of(spec, "cpu", engine, "float32") for engine in ENGINES}
        self.image_hw = (photo.shape[0], photo.shape[1])
        self.embeddings = {engine: ours.encode(photo) for engine, ours in self.ours.items()}
        path.unlink()  # it has up to 2.6 GB

    def low_res_masks(
        self,
        engine: str,
        prompt: Prompt,
        mask_input: np.ndarray | None = None,
        multimask_output: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        return self.ours[engine].low_res_masks(self.embeddings[engine], prompt, mask_input, multimask_output)

    def full(self, engine: str, low_res_mask: np.ndarray) -> np.ndarray:
        return self.ours[engine].mask_of(self.embeddings[engine], low_res_mask, 1.0).full()

    def predict_theirs(
        self, prompt: Prompt, mask_input: np.ndarray | None = None, multimask_output: bool | None = None
    ) -> tuple[Any, Any, Any]:
        has_points = bool(prompt.points)
        if multimask_output is None:
            multimask_output = prompt.box is None and len(prompt.points) == 1
        predicted: tuple[Any, Any, Any] = self.theirs.predict(
            point_coords=np.array(prompt.points) if has_points else None,
            point_labels=np.array(prompt.labels) if has_points else None,
            box=np.array(prompt.box) if prompt.box else None,
            mask_input=None if mask_input is None else mask_input[None],
            multimask_output=multimask_output,
        )
        return predicted

    def check_masks(self, engine: str, prompt: Prompt) -> None:
        """Check that our logits, predicted IoU and masks agree with the original's."""
        masks, iou, logits = self.predict_theirs(prompt)
        our_logits, our_iou = self.low_res_masks(engine, prompt)
        assert relative(our_logits, logits) < 1e-4
        assert relative(our_iou, iou) < 1e-4
        for ours, mask, theirs in zip(our_logits, masks, logits, strict=True):
            assert (self.full(engine, ours) == mask).mean() > 0.999
            assert (self.full(engine, theirs) == mask).mean() > 0.9999  # tests only our resizing

    def check_mask_input(self, engine: str) -> None:
        """Check that clicks change an earlier mask as in the original."""
        _, _, earlier = self.predict_theirs(PROMPTS["box"])
        _, _, logits = self.predict_theirs(PROMPTS["signed clicks"], earlier[0])
        ours, _ = self.low_res_masks(engine, PROMPTS["signed clicks"], earlier[0])
        assert relative(ours, logits) < 1e-4
        unrefined, _ = self.low_res_masks(engine, PROMPTS["signed clicks"])
        assert relative(unrefined, logits) > 1e-3  # the mask input has an effect


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())

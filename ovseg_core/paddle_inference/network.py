"""An inference model of PaddleX as a network.

Its graph encodes the image again for every batch of prompts and predicts no IoU: PaddleX's files can do no more.
Meta's checkpoints of the same weights can do more, and are faster.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.network import DecodeBatch, Features, PromptBatch, image_by_image
from ovseg_core.paddle_inference import predictor
from ovseg_core.paddle_inference.folder import InferenceFolder


class InferenceModel:
    """A `network.Network` whose features are the canvas (3, S, S) itself."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Load the model for a device, "cpu" or "gpu:N".

        Raises ValueError as `InferenceFolder.read` does, and if a file is damaged or the inputs of the graph are not an
        image and a prompt.
        """
        self._folder = InferenceFolder.read(folder)
        self.canvas_size = self._folder.canvas_size
        self._predictor = predictor.of(self._folder, device)
        # Sorted by name, as in PaddleX: the image is before the prompt.
        self._inputs = sorted(self._predictor.get_input_names())
        if len(self._inputs) != 2:
            raise ValueError(f"the inputs of {folder} are {', '.join(self._inputs)}, not an image and a prompt")

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Return the canvases (B, 3, S, S) as features. The image is encoded later, by `decode`."""
        return [(canvas,) for canvas in canvases]

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        """Return one candidate for each prompt. Its predicted IoU is NaN, because the model predicts none.

        The prompts are of the kind that the model was exported for: `Segmenter` refuses others.
        """
        side = float(self.canvas_size)
        if prompts.boxes is not None:
            logits = self._run(features[0], prompts.boxes)  # (N, 1, S/4, S/4)
        else:
            assert prompts.points is not None
            logits = np.concatenate([self._run(features[0], point[None]) for point in prompts.points])
        canvas = np.array([0, 0, side, side], np.float32)
        count = len(logits)
        return Candidates(logits, np.broadcast_to(canvas, (count, 1, 4)), np.full((count, 1), np.nan, np.float32))

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        """Do `decode` for each item, with one call for each image."""
        return image_by_image(self, batch, multimask_output)

    def _run(self, canvas: np.ndarray, prompt: np.ndarray) -> np.ndarray:
        for name, array in zip(self._inputs, (canvas[None], prompt), strict=True):
            self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array, np.float32))
        self._predictor.run()
        answer = self._predictor.get_output_handle(self._predictor.get_output_names()[0]).copy_to_cpu()
        return np.asarray(answer)

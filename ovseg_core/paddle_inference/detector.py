"""PaddleX's inference model GroundingDINO-T as a detector.

Its graph is the whole network, so an image is encoded again for every list of phrases. A checkpoint of the same weights
can do more, and is faster.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ovseg_core.grounding_dino import placement, tokenizer
from ovseg_core.grounding_dino.detector import Detector, EncodedImage, EncodedText
from ovseg_core.grounding_dino.text import Text
from ovseg_core.paddle_inference import predictor
from ovseg_core.paddle_inference.folder import DETECTORS, InferenceFolder

SIDES = (800, 1333)  # pixels, of the training; PaddleX ignores other ones in `inference.yml`, too
VOCABULARY = Path("tokenizer", "vocab.txt")

# The inputs in the order of their names in PaddleMIX, which exported the graph. PaddleX finds them by this order, too.
INPUTS = ("attention_mask", "input_ids", "m", "position_ids", "text_self_attention_masks", "x")


class InferenceDetector(Detector):
    """A detector whose features of an image are the normalised image itself."""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        """Load the model for a device, "cpu" or "gpu:N".

        Raises ValueError as `InferenceFolder.read` does, and if a file is damaged, the graph does not have six inputs,
        or the folder has another vocabulary than GroundingDINO-T.
        """
        super().__init__()
        found = InferenceFolder.read(folder, DETECTORS)
        _check_vocabulary(folder)
        self._predictor = predictor.of(found, device)
        self._folder, self._inputs = folder, sorted(self._predictor.get_input_names())
        if len(self._inputs) != len(INPUTS):
            raise ValueError(f"the inputs of {folder} are {', '.join(self._inputs)}, not {', '.join(INPUTS)}")

    def encode(self, image_rgb: np.ndarray) -> EncodedImage:
        """Scale and normalise an image (H, W, 3) uint8. It is encoded later, by `answer`."""
        image_hw = (image_rgb.shape[0], image_rgb.shape[1])
        resized_hw = placement.scaled_hw(image_hw, *SIDES)
        return EncodedImage(placement.drawn(image_rgb, resized_hw, resized_hw), resized_hw, resized_hw, image_hw)

    def encode_text(self, asked: Text) -> EncodedText:
        """Return the text. It is encoded later, by `answer`."""
        return EncodedText(asked)

    def answer(self, image: EncodedImage, encoded: EncodedText) -> tuple[np.ndarray, np.ndarray]:
        asked = encoded.text
        count = int(np.count_nonzero(asked.mask == 0))  # the graph has texts of any length, so padding is left out
        tokens, positions = (array[None, :count].astype(np.int64) for array in (asked.tokens, asked.positions))
        self_mask = asked.self_mask[None, :count, :count] == 0
        is_padding = np.zeros((1, *image.resized_hw), bool)
        given = (np.ones_like(tokens), tokens, is_padding, positions, self_mask, image.features)
        boxes, logits = self._run(given)
        return boxes[0], logits[0, :, : len(asked.tokens)]

    def _run(self, given: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        """Return boxes (1, Q, 4) and logits (1, Q, 256). `given` is in the order of INPUTS."""
        for name, array in zip(self._inputs, given, strict=True):
            self._predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array))
        try:
            self._predictor.run()
        except (RuntimeError, ValueError) as error:  # of Paddle, with several lines
            inputs = ", ".join(f"{name} {array.shape}" for name, array in zip(self._inputs, given, strict=True))
            reason = " ".join(str(error).split())
            raise ValueError(f"Paddle cannot run {self._folder} with the inputs {inputs}: {reason}") from error
        names = self._predictor.get_output_names()
        outputs = [np.asarray(self._predictor.get_output_handle(name).copy_to_cpu()) for name in names]
        return sorted(outputs, key=lambda array: array.shape[-1])


def _check_vocabulary(folder: Path) -> None:
    """Raise ValueError if the folder has another vocabulary than BERT-Base, Uncased: its tokens would differ."""
    path = folder / VOCABULARY
    if path.is_file() and path.read_bytes().split() != tokenizer.VOCABULARY.read_bytes().split():
        raise ValueError(f"{path} is not the vocabulary of BERT-Base, Uncased")

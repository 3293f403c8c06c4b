"""SAM as a network, on any engine: it encodes an image once and decodes prompts from the embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.engines.parts import Runner
from ovseg_core.network import DecodeBatch, Features, PromptBatch, by_image, image_by_image
from ovseg_core.sam import points


class Sam:
    """A `network.Network` whose features are what the part "encode" returns for each image.

    For SAM this is one image embedding, (S/16, S/16, 256) float32. Families of SAM whose decoder needs more maps of the
    image have more arrays. The parts that decode take all of them, in the same order.
    """

    def __init__(self, run: Mapping[str, Runner], canvas_size: int) -> None:
        """`run` runs each part of `SamParts`, or of parts with the same names, by its name."""
        self._run, self.canvas_size = run, canvas_size

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Return the features of each image, from normalised canvases (B, 3, S, S) float32."""
        return list(zip(*self._run["encode"](canvases), strict=True))

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        """Return three candidates for a single click, which is ambiguous, and one for every other prompt.

        With `multimask_output` there are three for every prompt (SAM's masks 1 to 3), and if it is False one (mask 0).
        """
        return self._candidates(*self.masks(features, prompts, _mask_indices(prompts, multimask_output)))

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        """Do `decode` for each item in one run, also if the items belong to several images."""
        images = by_image(batch)
        if len(images) == 1 or batch[0][1].mask_inputs is not None:
            return image_by_image(self, batch, multimask_output)
        counts = [prompts.size for _, prompts in batch]
        joined = PromptBatch.joined([prompts for _, prompts in batch])
        features = [np.stack(arrays) for arrays in zip(*(batch[items[0]][0] for items in images), strict=True)]
        image_of_item = {item: image for image, items in enumerate(images) for item in items}
        image_of = np.repeat(np.array([image_of_item[i] for i in range(len(batch))], np.float32), counts)
        indices = _mask_indices(joined, multimask_output)
        answer = self._decoded("decode_several", features, joined, indices, image_of)
        return self._candidates(*answer).split(counts)

    def masks(
        self, features: Features, prompts: PromptBatch, mask_indices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (N, M, S/4, S/4) and predicted IoU (N, M) of SAM's masks with these indices (M,) float32.

        Mask 0 is meant for a clear prompt, masks 1 to 3 for a click that may mean several things (`multimask_output`).
        """
        one_image = [array[None] for array in features]
        if prompts.mask_inputs is None:
            return self._decoded("decode", one_image, prompts, mask_indices)
        return self._decoded("refine", one_image, prompts, mask_indices, prompts.mask_inputs)

    def _decoded(
        self,
        part: str,
        features: Sequence[np.ndarray],
        prompts: PromptBatch,
        mask_indices: np.ndarray,
        *more: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run a part that decodes prompts. `features` are those of all images, and `more` its last inputs."""
        logits, iou = self._run[part](*features, self._tokens(prompts), mask_indices, *more)
        return logits, iou

    def _tokens(self, prompts: PromptBatch) -> np.ndarray:
        [tokens] = self._run["prompts"](*self._points(prompts))
        return tokens

    def _points(self, prompts: PromptBatch) -> tuple[np.ndarray, np.ndarray]:
        return points.of(prompts)

    def _candidates(self, logits: np.ndarray, iou: np.ndarray) -> Candidates:
        canvas = np.array([0, 0, self.canvas_size, self.canvas_size], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)


def _mask_indices(prompts: PromptBatch, multimask_output: bool | None) -> np.ndarray:
    """Return the indices of SAM's masks: (M,) float32. None chooses those that fit these prompts.

    A click alone is ambiguous. With a box, or with a mask of the object, it is not.
    """
    if multimask_output is None:
        is_click = prompts.points is not None and prompts.points.shape[1] == 1
        multimask_output = is_click and prompts.boxes is None and prompts.mask_inputs is None
    return np.array([1, 2, 3] if multimask_output else [0], np.float32)

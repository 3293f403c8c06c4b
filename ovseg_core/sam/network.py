"""SAM as one network, on any engine: encode an image once, decode prompts from its embedding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.engines.parts import Runner
from ovseg_core.network import DecodeBatch, Features, PromptBatch, by_image, image_by_image
from ovseg_core.sam import points


class Sam:
    def __init__(self, run: Mapping[str, Runner], canvas_size: int) -> None:
        """`run` has the parts of `SamParts`."""
        self._run, self.canvas_size = run, canvas_size

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Normalised canvases (B, 3, S, S) float32 to the embedding of each, (S/16, S/16, 256) float32."""
        [embeddings] = self._run["encode"](canvases)
        return [(embedding,) for embedding in embeddings]

    def decode(self, features: Features, prompts: PromptBatch, all_candidates: bool = False) -> Candidates:
        """Three candidates for a single click, which is ambiguous, whether `all_candidates` are asked for or the best:
        two more masks cost little. One for every other prompt."""
        return self._candidates(*self.masks(features, prompts, _wanted(prompts)))

    def decode_batch(self, batch: DecodeBatch, all_candidates: bool = False) -> list[Candidates]:
        """In one run, also of different images."""
        images = by_image(batch)
        if len(images) == 1 or batch[0][1].mask_inputs is not None:
            return image_by_image(self, batch, all_candidates)
        counts = [prompts.size for _, prompts in batch]
        joined = PromptBatch.joined([prompts for _, prompts in batch])
        embeddings = np.stack([batch[places[0]][0][0] for places in images])
        image_of = {place: image for image, places in enumerate(images) for place in places}
        of_prompts = np.repeat(np.array([image_of[i] for i in range(len(batch))], np.float32), counts)
        answer = self._run["decode_several"](embeddings, self._tokens(joined), _wanted(joined), of_prompts)
        return self._candidates(*answer).split(counts)

    def masks(self, features: Features, prompts: PromptBatch, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, M, S/4, S/4) and predicted IoU (N, M) of those of SAM's masks that are `wanted`, (M,) float32.

        Mask 0 is meant for a clear prompt, 1 to 3 for a click that may mean several things (`multimask_output`).
        """
        given = (features[0][None], self._tokens(prompts), wanted)
        if prompts.mask_inputs is None:
            logits, iou = self._run["decode"](*given)
        else:
            logits, iou = self._run["refine"](*given, prompts.mask_inputs)
        return logits, iou

    def _tokens(self, prompts: PromptBatch) -> np.ndarray:
        [tokens] = self._run["prompts"](*points.of(prompts))
        return tokens

    def _candidates(self, logits: np.ndarray, iou: np.ndarray) -> Candidates:
        canvas = np.array([0, 0, self.canvas_size, self.canvas_size], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)


def _wanted(prompts: PromptBatch) -> np.ndarray:
    is_ambiguous = prompts.boxes is None and prompts.points is not None and prompts.points.shape[1] == 1
    return np.array([1, 2, 3] if is_ambiguous else [0], np.float32)

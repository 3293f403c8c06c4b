"""SAM as one network, on any engine: encode an image once, decode prompts from its embedding."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.engines import Runner
from ovseg_core.networks import Asked, Features, Together, by_image, image_by_image
from ovseg_core.sam.labels import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, NOT_A_POINT


class Sam:
    def __init__(self, run: Mapping[str, Runner], canvas_size: int) -> None:
        """`run` has the parts of `SamParts`."""
        self._run, self.canvas_size = run, canvas_size

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Normalised canvases (B, 3, S, S) float32 to the embedding of each, (S/16, S/16, 256) float32."""
        [embeddings] = self._run["encode"](canvases)
        return [(embedding,) for embedding in embeddings]

    def decode(self, features: Features, asked: Asked, every: bool = False) -> Candidates:
        """Three candidates for a single click, which is ambiguous, whether `every` one was asked for or the best: two
        more masks cost little. One for every other prompt."""
        return self._candidates(*self.masks(features, asked, _wanted(asked)))

    def decode_together(self, together: Together, every: bool = False) -> list[Candidates]:
        """In one run, also of different images."""
        images = by_image(together)
        if len(images) == 1 or together[0][1].mask_inputs is not None:
            return image_by_image(self, together, every)
        counts = [each.prompts for _, each in together]
        asked = Asked.joined([each for _, each in together])
        embeddings = np.stack([together[places[0]][0][0] for places in images])
        image_of = {place: image for image, places in enumerate(images) for place in places}
        of_prompts = np.repeat(np.array([image_of[i] for i in range(len(together))], np.float32), counts)
        answer = self._run["decode_several"](embeddings, self._tokens(asked), _wanted(asked), of_prompts)
        return self._candidates(*answer).split(counts)

    def masks(self, features: Features, asked: Asked, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, M, S/4, S/4) and predicted IoU (N, M) of those of SAM's masks that are `wanted`, (M,) float32.

        Mask 0 is meant for a clear prompt, 1 to 3 for a click that may mean several things.
        """
        given = (features[0][None], self._tokens(asked), wanted)
        if asked.mask_inputs is None:
            logits, iou = self._run["decode"](*given)
        else:
            logits, iou = self._run["refine"](*given, asked.mask_inputs)
        return logits, iou

    def _tokens(self, asked: Asked) -> np.ndarray:
        [tokens] = self._run["prompts"](*as_points(asked))
        return tokens

    def _candidates(self, logits: np.ndarray, iou: np.ndarray) -> Candidates:
        canvas = np.array([0, 0, self.canvas_size, self.canvas_size], np.float32)
        return Candidates(logits, np.broadcast_to(canvas, (*iou.shape, 4)), iou)


def _wanted(asked: Asked) -> np.ndarray:
    is_ambiguous = asked.boxes is None and asked.points is not None and asked.points.shape[1] == 1
    return np.array([1, 2, 3] if is_ambiguous else [0], np.float32)


def as_points(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, T, 2) and labels (N, T) float32: the clicks (with one "not a point" behind them where there is no box,
    as SAM was trained), then the corners of the box."""
    points, labels = [], []
    if asked.points is not None and asked.labels is not None:
        points.append(asked.points)
        labels.append(asked.labels)
    if asked.boxes is not None:
        count = len(asked.boxes)
        points.append(asked.boxes.reshape(count, 2, 2))
        labels.append(np.tile(np.array([BOX_TOP_LEFT, BOX_BOTTOM_RIGHT], np.float32), (count, 1)))
    else:
        count = len(points[0])
        points.append(np.zeros((count, 1, 2), np.float32))
        labels.append(np.full((count, 1), NOT_A_POINT, np.float32))
    return np.concatenate(points, 1), np.concatenate(labels, 1)

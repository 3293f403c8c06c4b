"""The interface of a network: it encodes an image once and decodes any number of prompts from the image's features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ovseg_core.candidates import Candidates

Features = tuple[np.ndarray, ...]  # of one image, float32; the network defines the number of arrays and their shapes


class PromptBatch(NamedTuple):
    """N prompts of the same shape, float32, coordinates in canvas pixels. A field is None if the prompts lack it."""

    boxes: np.ndarray | None = None  # N, 4
    points: np.ndarray | None = None  # N, P, 2
    labels: np.ndarray | None = None  # N, P: 1 on the object, 0 not on it
    mask_inputs: np.ndarray | None = None  # N, S/4, S/4: logits of an earlier answer of SAM

    @property
    def size(self) -> int:
        """The number N of prompts."""
        return len(self.points if self.boxes is None else self.boxes)  # type: ignore[arg-type]  # one is given

    @classmethod
    def joined(cls, several: Sequence[PromptBatch]) -> PromptBatch:
        """Join several batches of the same shape into one, in their order."""
        return cls(*(None if field[0] is None else np.concatenate(field) for field in zip(*several, strict=True)))


DecodeBatch = Sequence[tuple[Features, PromptBatch]]  # prompts of the same shape, of one image or several


class Network(Protocol):
    """Encodes images to features, and decodes prompts from features. S is `canvas_size`, the side of its input."""

    canvas_size: int

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Return the features of each image, from normalised canvases (B, 3, S, S) float32."""
        ...

    def decode(self, features: Features, prompts: PromptBatch, all_candidates: bool = False) -> Candidates:
        """Return the masks for N prompts of one image.

        With `all_candidates`, these are all masks that each prompt may mean; without, at least the best one. It is not
        SAM's `multimask_output`, which chooses between one unambiguous mask and three others.
        """
        ...

    def decode_batch(self, batch: DecodeBatch, all_candidates: bool = False) -> list[Candidates]:
        """Return what `decode` returns for each item, in as few runs of the network as possible."""
        ...


def by_image(batch: DecodeBatch) -> list[list[int]]:
    """Return the indices of the batch's items, grouped by image."""
    indices: dict[int, list[int]] = defaultdict(list)
    for i, (features, _) in enumerate(batch):
        indices[id(features[0])].append(i)
    return list(indices.values())


def image_by_image(network: Network, batch: DecodeBatch, all_candidates: bool) -> list[Candidates]:
    """Do `decode_batch` with one call of `network.decode` for each image."""
    answers: dict[int, Candidates] = {}
    for indices in by_image(batch):
        features, several = batch[indices[0]][0], [batch[i][1] for i in indices]
        answer = network.decode(features, PromptBatch.joined(several), all_candidates)
        answers.update(zip(indices, answer.split([prompts.size for prompts in several]), strict=True))
    return [answers[i] for i in range(len(batch))]

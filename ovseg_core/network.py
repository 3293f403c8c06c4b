"""The interface of a network: it encodes an image once and decodes any number of prompts from the image's features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ovseg_core.candidates import Candidates

Features = tuple[np.ndarray, ...]  # of one image, float32; the network defines the number of arrays and their shapes


class PromptBatch(NamedTuple):
    """N prompts of the same shape, float32, coordinates in canvas pixels. A field is None if the prompts lack it.

    With `min_iou`, a network may skip masks whose predicted IoU is not above it; their logits are -inf. With `drafts`,
    which are masks that it found for these points, it returns one better mask for each; only networks whose preset says
    `everything_refines` can.
    """

    boxes: np.ndarray | None = None  # N, 4
    points: np.ndarray | None = None  # N, P, 2
    labels: np.ndarray | None = None  # N, P: 1 on the object, 0 not on it
    mask_inputs: np.ndarray | None = None  # N, h, w: logits over the canvas, of earlier masks of the objects
    min_iou: np.ndarray | None = None  # N
    drafts: np.ndarray | None = None  # N, h, w: logits
    draft_regions: np.ndarray | None = None  # N, 4: what the logits cover

    @property
    def size(self) -> int:
        """The number N of prompts."""
        return next(len(field) for field in self if field is not None)

    @classmethod
    def joined(cls, several: Sequence[PromptBatch]) -> PromptBatch:
        """Join several batches of the same shape into one, in their order."""
        return cls(*(None if field[0] is None else np.concatenate(field) for field in zip(*several, strict=True)))


DecodeBatch = Sequence[tuple[Features, PromptBatch]]  # prompts of the same shape, of one image or several


class Network(Protocol):
    """Encodes images to features, and decodes prompts from features.

    S is the side of its input: `canvas_size`, or the `input_size` of its preset.
    """

    canvas_size: int

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Return the features of each image, from normalised canvases (B, 3, S, S) float32."""
        ...

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        """Return the masks for N prompts of one image.

        Args:
            features: of the image.
            prompts: the prompts.
            multimask_output: None: the masks that suit the prompts, among them the best one; for SAM these are three
                for a single click, which is ambiguous, and one otherwise. True: all masks that the network has for
                such prompts; for SAM three for prompts of every kind. False: one mask. For SAM these three have the
                meaning of `multimask_output` in `segment_anything`.
        """
        ...

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        """Return what `decode` returns for each item, in as few runs of the network as possible."""
        ...


def by_image(batch: DecodeBatch) -> list[list[int]]:
    """Return the indices of the batch's items, grouped by image."""
    indices: dict[int, list[int]] = defaultdict(list)
    for i, (features, _) in enumerate(batch):
        indices[id(features[0])].append(i)
    return list(indices.values())


def image_by_image(network: Network, batch: DecodeBatch, multimask_output: bool | None) -> list[Candidates]:
    """Do `decode_batch` with one call of `network.decode` for each image."""
    answers: dict[int, Candidates] = {}
    for indices in by_image(batch):
        features, several = batch[indices[0]][0], [batch[i][1] for i in indices]
        answer = network.decode(features, PromptBatch.joined(several), multimask_output)
        answers.update(zip(indices, answer.split([prompts.size for prompts in several]), strict=True))
    return [answers[i] for i in range(len(batch))]

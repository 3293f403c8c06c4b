"""What a network is: it encodes an image once, and decodes any number of prompts from the image's features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ovseg_core.candidates import Candidates

Features = tuple[np.ndarray, ...]  # of one image, float32, in the network's own shapes


class PromptBatch(NamedTuple):
    """N prompts of one shape, float32, coordinates in canvas pixels; a field is None where the prompts lack it."""

    boxes: np.ndarray | None = None  # N, 4
    points: np.ndarray | None = None  # N, P, 2
    labels: np.ndarray | None = None  # N, P: 1 on the object, 0 not
    mask_inputs: np.ndarray | None = None  # N, S/4, S/4: logits that SAM answered before

    @property
    def size(self) -> int:
        """N."""
        return len(self.points if self.boxes is None else self.boxes)  # type: ignore[arg-type]  # one of them is there

    @classmethod
    def joined(cls, several: Sequence[PromptBatch]) -> PromptBatch:
        """The prompts of several batches of one shape, one batch after the other."""
        return cls(*(None if field[0] is None else np.concatenate(field) for field in zip(*several, strict=True)))


DecodeBatch = Sequence[tuple[Features, PromptBatch]]  # prompts of one shape, of one or several images


class Network(Protocol):
    """Encodes images to features, and decodes prompts from these."""

    canvas_size: int

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Normalised canvases (B, 3, S, S) float32 to the features of each."""
        ...

    def decode(self, features: Features, prompts: PromptBatch, all_candidates: bool = False) -> Candidates:
        """Masks for N prompts of one image: `all_candidates` of each prompt, or at least the best.

        This is not SAM's `multimask_output`, which chooses between one unambiguous mask and three others.
        """
        ...

    def decode_batch(self, batch: DecodeBatch, all_candidates: bool = False) -> list[Candidates]:
        """What `decode` answers for each item, in as few runs of the network as possible."""
        ...


def by_image(batch: DecodeBatch) -> list[list[int]]:
    """The items' places in the batch, grouped by image."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, (features, _) in enumerate(batch):
        places[id(features[0])].append(place)
    return list(places.values())


def image_by_image(network: Network, batch: DecodeBatch, all_candidates: bool) -> list[Candidates]:
    """`decode_batch` in one run for each image."""
    answers: dict[int, Candidates] = {}
    for places in by_image(batch):
        features, several = batch[places[0]][0], [batch[place][1] for place in places]
        answer = network.decode(features, PromptBatch.joined(several), all_candidates)
        answers.update(zip(places, answer.split([prompts.size for prompts in several]), strict=True))
    return [answers[place] for place in range(len(batch))]

"""Two verbs: encode an image once, decode as many prompts from its embedding as you like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ovseg_core import canvas, masks, models
from ovseg_core.canvas import Frame
from ovseg_core.masks import Mask
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt
from ovseg_core.sam import network

# Prompts decoded in one go. A prompt takes 7 MB of activations in SAM-Lite's decoder, so this bounds memory; on a CPU
# larger batches are no faster.
PROMPTS_PER_BATCH = 16


@dataclass(frozen=True)
class Embedding:
    """What the network knows of an image: features (C, S/16, S/16) float32, and how the image lies on the canvas."""

    model: str
    features: np.ndarray
    frame: Frame


class Segmenter:
    """A model, ready. One thread at a time may use it."""

    def __init__(self, spec: ModelSpec, sam: network.Sam) -> None:
        self.spec = spec
        self.sam = sam

    @classmethod
    def open(cls, model: str = "SAM-Lite", device: str = "cpu") -> Segmenter:
        """Load a model's weights onto `device` ("cpu", "gpu:0", ...).

        Raises OvsegError `unknown_model`, and ValueError where the weights do not fit or Paddle has no such device.
        """
        spec = models.find(model)
        return cls(spec, network.load(spec.network, spec.weights, device))

    def encode(self, image_rgb: np.ndarray) -> Embedding:
        """Embed an image (H, W, 3) uint8: nearly all the work, for any number of decodings."""
        height, width = image_rgb.shape[:2]
        frame = Frame((height, width), self.spec.canvas_size)
        pixels = canvas.letterbox(image_rgb, frame, self.spec.mean, self.spec.std)
        return Embedding(self.spec.name, self.sam.encode(pixels)[0], frame)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
        """One mask for each prompt, in their order.

        A single click is ambiguous (the button, the shirt, the person?): of the three candidates the one with the
        highest predicted IoU is taken, as SAM does.

        Raises OvsegError where a prompt lies outside the image, and ValueError for another model's embedding.
        """
        if embedding.model != self.spec.name:
            raise ValueError(f"an embedding of {embedding.model} cannot be decoded by {self.spec.name}")
        found: dict[int, Mask] = {}
        for batch in _batches([prompt.within(embedding.frame.image_hw) for prompt in prompts]):
            logits, scores = self.sam.decode(embedding.features, *_arrays(batch, embedding.frame.scale))
            for (i, prompt), candidates, iou in zip(batch.items(), logits, scores, strict=True):
                found[i] = self._mask(prompt, candidates, iou, embedding.frame)
        return [found[i] for i in range(len(prompts))]

    def _mask(self, prompt: Prompt, candidates: np.ndarray, iou: np.ndarray, frame: Frame) -> Mask:
        is_ambiguous = prompt.box is None and len(prompt.points) == 1
        token = 1 + int(iou[1:].argmax()) if is_ambiguous else 0
        cut = self.spec.point_cut if prompt.box is None else self.spec.box_cut
        clip_to = prompt.box if self.spec.clip_to_box else None
        score = float(np.clip(iou[token], 0, 1))
        return masks.threshold(candidates[token], frame, cut, score, clip_to)


def _batches(prompts: Sequence[Prompt]) -> Iterator[dict[int, Prompt]]:
    """Prompts of one shape together, each with its place in the whole.

    Only equal shapes share a batch: to pad one with empty points would change its mask, so that a mask would depend
    on what else was asked.
    """
    shapes: dict[tuple[bool, int], dict[int, Prompt]] = defaultdict(dict)
    for i, prompt in enumerate(prompts):
        shapes[prompt.box is not None, len(prompt.points)][i] = prompt
    for same in shapes.values():
        items = list(same.items())
        for start in range(0, len(items), PROMPTS_PER_BATCH):
            yield dict(items[start : start + PROMPTS_PER_BATCH])


def _arrays(batch: dict[int, Prompt], scale: float) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Boxes (N, 4), points (N, P, 2) in canvas pixels and labels (N, P); None where the shape has none."""
    prompts = list(batch.values())
    has_box, has_points = prompts[0].box is not None, bool(prompts[0].points)
    boxes = np.array([p.box for p in prompts], np.float32) * scale if has_box else None
    points = np.array([p.points for p in prompts], np.float32) * scale if has_points else None
    labels = np.array([p.labels for p in prompts], np.float32) if has_points else None
    return boxes, points, labels

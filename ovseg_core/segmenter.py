"""Two verbs: encode an image once, decode as many prompts from its embedding as you like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ovseg_core import canvas, masks, models, networks
from ovseg_core.canvas import Frame
from ovseg_core.errors import OvsegError
from ovseg_core.masks import Mask
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt

# Prompts decoded in one go. A prompt takes 7 MB of activations in SAM-Lite's decoder, so this bounds memory; on a CPU
# larger batches are no faster.
PROMPTS_PER_BATCH = 16


@dataclass(frozen=True)
class Embedding:
    """What the network knows of an image: its features, float32, and how the image lies on the canvas."""

    model: str
    features: tuple[np.ndarray, ...]
    frame: Frame


class Segmenter:
    """A model, ready. One thread at a time may use it."""

    def __init__(self, spec: ModelSpec, network: networks.Network, engine: str) -> None:
        self.spec = spec
        self.network = network
        self.engine = engine

    @classmethod
    def open(cls, model: str = "SAM-Lite", device: str = "cpu", engine: str = "auto") -> Segmenter:
        """Load a model's weights onto `device` ("cpu", "gpu:0", ...) and an engine ("auto", "openvino", "paddle").

        Raises OvsegError `unknown_model` and `model_not_installed`, and ValueError where the weights do not fit, Paddle
        has no such device or the engine cannot run the model.
        """
        return cls.of(models.find(model), device, engine)

    @classmethod
    def of(cls, spec: ModelSpec, device: str, engine: str) -> Segmenter:
        """As `open`, of a model that may not be in the registry."""
        if not spec.is_installed:
            message = f"{spec.name} is not installed here; `ovseg models pull {spec.name}` fetches it to {spec.weights}"
            raise OvsegError("model_not_installed", message, "model")
        chosen = networks.choose_engine(spec.network, device, engine)
        return cls(spec, networks.load(spec.network, spec.weights, device, chosen, spec.preset.canvas_size), chosen)

    def encode(self, image_rgb: np.ndarray) -> Embedding:
        """Embed an image (H, W, 3) uint8: nearly all the work, for any number of decodings."""
        height, width = image_rgb.shape[:2]
        frame = Frame((height, width), self.spec.preset.canvas_size)
        pixels = canvas.letterbox(image_rgb, frame, self.spec.preset.mean, self.spec.preset.std)
        return Embedding(self.spec.name, self.network.encode(pixels), frame)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
        """One mask for each prompt, in their order.

        Clicks without a box are ambiguous (the button, the shirt, the person?): of the candidates the one with the
        highest predicted IoU is taken, as SAM does.

        Raises OvsegError where a prompt lies outside the image, and ValueError for another model's embedding.
        """
        return [max(masks, key=lambda mask: mask.score) for masks in self._masks(embedding, prompts, every=False)]

    def candidates(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[list[Mask]]:
        """All the masks a prompt may mean, the likeliest first: one for a box, three for a click.

        Raises as `decode`.
        """
        every = self._masks(embedding, prompts, every=True)
        return [sorted(masks, key=lambda mask: -mask.score) for masks in every]

    def _masks(self, embedding: Embedding, prompts: Sequence[Prompt], every: bool) -> list[list[Mask]]:
        if embedding.model != self.spec.name:
            raise ValueError(f"an embedding of {embedding.model} cannot be decoded by {self.spec.name}")
        frame = embedding.frame
        found: dict[int, list[Mask]] = {}
        for batch in _batches([prompt.within(frame.image_hw) for prompt in prompts]):
            answer = self.network.decode(embedding.features, *_arrays(batch, frame.scale), every)
            regions = answer.regions / frame.scale
            for n, (i, prompt) in enumerate(batch.items()):
                cut = self.spec.preset.point_cut if prompt.box is None else self.spec.preset.box_cut
                clip_to = prompt.box if self.spec.preset.clip_to_box else None
                found[i] = [
                    masks.threshold(logits, tuple(region), frame.image_hw, cut, float(np.clip(iou, 0, 1)), clip_to)
                    for logits, region, iou in zip(answer.logits[n], regions[n], answer.iou[n], strict=True)
                ]
        return [found[i] for i in range(len(prompts))]


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

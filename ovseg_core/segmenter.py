"""Two verbs: encode an image once, decode as many prompts from its embedding as you like."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from ovseg_core import digests, encoding, holes, models, networks, resample
from ovseg_core.candidates import Candidates
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.engines import int8
from ovseg_core.errors import OvsegError
from ovseg_core.mask import Mask
from ovseg_core.models import ModelSpec
from ovseg_core.network import Network, PromptBatch
from ovseg_core.prompts import Prompt
from ovseg_core.resample import ByCanvas

SHAPE_EMBEDDINGS = ("ovseg_core.encoding", "ovseg_core.image")  # and the network, with all that these import


class Segmenter:
    """A model, ready to segment.

    As many threads may use it at a time as may use its network: one, unless the network says otherwise.
    """

    def __init__(self, spec: ModelSpec, network: Network, engine: str, precision: str = "float32") -> None:
        self.spec = spec
        self.network = network
        self.engine = engine
        self.precision = precision

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that an embedding depends on besides its image: the weights, the precision, and our code from
        the image's decoder to the network. The engine is not part of it: all of them compute the same."""
        code = digests.of_code(*SHAPE_EMBEDDINGS, self.spec.family.load.__module__)
        parts = [digests.of_weights(self.spec.weights), self.spec.network, self.precision, code]
        if self.precision == "int8":
            parts.append(int8.digest(self.spec.weights))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    @classmethod
    def open(
        cls, model: str = "SAM-Lite", device: str = "cpu", engine: str = "auto", precision: str = "float32"
    ) -> Segmenter:
        """Load a model.

        Args:
            model: a name in the registry of models (`ovseg models list`).
            device: "cpu", "gpu:0" or another of `ovseg_core.devices`.
            engine: one of `networks.ENGINES`; "auto" is the fastest that is installed.
            precision: one of `networks.PRECISIONS`; "auto" is chosen by `networks.choose_precision`.

        Raises:
            OvsegError: `unknown_model`, `model_not_installed`.
            ValueError: the weights do not fit, Paddle has no such device, or the engine cannot run the model in this
                precision.
        """
        return cls.of(models.resolved(model), device, engine, precision)

    @classmethod
    def of(cls, spec: ModelSpec, device: str, engine: str, precision: str = "float32") -> Segmenter:
        """`open` for a model that need not be in the registry."""
        if not spec.is_installed:
            message = f"{spec.name} is not installed here; `ovseg models pull {spec.name}` fetches it to {spec.weights}"
            raise OvsegError("model_not_installed", message, "model")
        chosen = networks.choose_engine(spec.network, device, engine)
        precision = networks.choose_precision(spec.network, spec.weights, device, chosen, precision)
        network = networks.load(spec.network, spec.weights, device, chosen, precision, spec.preset.canvas_size)
        return cls(spec, network, chosen, precision)

    def encode(self, image_rgb: np.ndarray) -> Embedding:
        """Embed an image. This is nearly all the work, and is done once for any number of prompts.

        Args:
            image_rgb: (H, W, 3) uint8.
        """
        return self.encode_batch([image_rgb])[0]

    def encode_batch(self, images_rgb: Sequence[np.ndarray]) -> list[Embedding]:
        """Embed images, of any sizes, in one run of the network.

        Args:
            images_rgb: each (H, W, 3) uint8.

        Returns:
            An embedding for each image, in their order.
        """
        return encoding.encode(self.spec.name, self.network, self.spec.preset, images_rgb)

    def canvas(self, image_rgb: np.ndarray) -> np.ndarray:
        """What the network sees of an image (H, W, 3) uint8: (1, 3, S, S) float32."""
        return encoding.canvas(image_rgb, self.network.canvas_size, self.spec.preset)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
        """Segment what the prompts mean.

        Clicks without a box are ambiguous (the button, the shirt, the person?): of the candidates the one with the
        highest predicted IoU is taken, as SAM does.

        Args:
            embedding: of the image, made by the same model.
            prompts: in pixels of the image.

        Returns:
            One mask for each prompt, in their order.

        Raises:
            OvsegError: a prompt lies outside the image.
            ValueError: the embedding is another model's.
        """
        return [max(masks, key=_likelihood) for masks in self._masks(embedding, prompts, all_candidates=False)]

    def candidates(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[list[Mask]]:
        """All the masks that each prompt may mean, the likeliest first: one for a box, three for a click.

        Takes and raises what `decode` does.
        """
        several = self._masks(embedding, prompts, all_candidates=True)
        return [sorted(masks, key=_likelihood, reverse=True) for masks in several]

    def low_res_masks(
        self, embedding: Embedding, prompt: Prompt, mask_input: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """SAM's logits over the canvas, which `segment_anything` calls low-res masks.

        Args:
            embedding: of the image, made by the same model.
            prompt: in pixels of the image.
            mask_input: one of these masks (S/4, S/4), given back with further clicks: the network refines it.

        Returns:
            Logits (C, S/4, S/4) float32 and predicted IoU (C,).

        Raises as `decode`, and ValueError for a model that has no such masks, which are all except SAM's.
        """
        if not self.spec.preset.by_canvas:
            raise ValueError(f"{self.spec.name} has no low-res masks of the whole canvas; SAM's models have")
        batch = _prompt_batch([prompt.within(embedding.frame.image_hw)], embedding.frame.scale_xy)
        mask_inputs = None if mask_input is None else np.asarray(mask_input, np.float32)[None]
        answer = self._answer(embedding, batch._replace(mask_inputs=mask_inputs), all_candidates=True)
        return answer.logits[0], answer.iou[0]

    def mask_of(self, embedding: Embedding, low_res_mask: np.ndarray, iou: float) -> Mask:
        """One of `low_res_masks` in the frame of the image."""
        side = float(self.network.canvas_size)
        return self._mask(embedding.frame, low_res_mask, np.array([0, 0, side, side]), iou, Prompt.of_point(0, 0))

    def _masks(self, embedding: Embedding, prompts: Sequence[Prompt], all_candidates: bool) -> list[list[Mask]]:
        frame = embedding.frame
        found: dict[int, list[Mask]] = {}
        fitted = [prompt.within(frame.image_hw) for prompt in prompts]
        for batch in _batches(fitted, self.spec.preset.prompts_per_batch):
            answer = self._answer(embedding, _prompt_batch(list(batch.values()), frame.scale_xy), all_candidates)
            for n, (i, prompt) in enumerate(batch.items()):
                candidates = zip(answer.logits[n], answer.regions[n], answer.iou[n], strict=True)
                found[i] = [self._mask(frame, *candidate, prompt) for candidate in candidates]
        return [found[i] for i in range(len(prompts))]

    def _answer(self, embedding: Embedding, prompts: PromptBatch, all_candidates: bool) -> Candidates:
        if embedding.model != self.spec.name:
            raise ValueError(f"an embedding of {embedding.model} cannot be decoded by {self.spec.name}")
        return self.network.decode(embedding.features, prompts, all_candidates)

    def _mask(self, frame: Frame, logits: np.ndarray, region: np.ndarray, iou: float, prompt: Prompt) -> Mask:
        """`region` in canvas pixels."""
        preset = self.spec.preset
        threshold = preset.point_mask_threshold if prompt.box is None else preset.box_mask_threshold
        if preset.holes_filled and 0 not in prompt.labels:  # a click beside the object may have made the hole
            logits = holes.filled(logits, threshold, preset.holes_filled)
        return resample.to_mask(
            logits,
            tuple(region / np.tile(frame.scale_xy, 2)),
            frame.image_hw,
            mask_threshold=threshold,
            score=None if np.isnan(iou) else round(float(np.clip(iou, 0, 1)), 4),
            clip_to=prompt.box if preset.clip_to_box else None,
            by_canvas=ByCanvas(frame.canvas_size, frame.resized_hw) if preset.by_canvas else None,
        )


def _likelihood(mask: Mask) -> float:
    return mask.score or 0.0


def _batches(prompts: Sequence[Prompt], max_size: int) -> Iterator[dict[int, Prompt]]:
    """Batches of at most `max_size` prompts of one shape, each prompt by its place in the whole.

    Only equal shapes share a batch: to pad one with empty points would change its mask, so that a mask would depend on
    the other prompts.
    """
    shapes: dict[tuple[bool, int], dict[int, Prompt]] = defaultdict(dict)
    for i, prompt in enumerate(prompts):
        shapes[prompt.box is not None, len(prompt.points)][i] = prompt
    for same in shapes.values():
        items = list(same.items())
        for start in range(0, len(items), max_size):
            yield dict(items[start : start + max_size])


def _prompt_batch(prompts: Sequence[Prompt], scale_xy: np.ndarray) -> PromptBatch:
    """Prompts of one shape in canvas pixels."""
    has_box, has_points = prompts[0].box is not None, bool(prompts[0].points)
    return PromptBatch(
        boxes=(np.array([p.box for p in prompts]) * np.tile(scale_xy, 2)).astype(np.float32) if has_box else None,
        points=(np.array([p.points for p in prompts]) * scale_xy).astype(np.float32) if has_points else None,
        labels=np.array([p.labels for p in prompts], np.float32) if has_points else None,
    )

"""A model with two verbs: encode an image once, then decode any number of prompts from its embedding."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from ovseg_core import digests, encoding, fingerprint, holes, models, networks, prompt_batches, resample
from ovseg_core.candidates import Candidates
from ovseg_core.canvas import Frame
from ovseg_core.embedding import Embedding
from ovseg_core.errors import OvsegError
from ovseg_core.everything import search
from ovseg_core.everything.proposals import Masking, Proposal
from ovseg_core.everything.search import Step
from ovseg_core.mask import Mask, score_of
from ovseg_core.models import ModelSpec
from ovseg_core.network import Network, PromptBatch
from ovseg_core.prompts import Prompt


class Segmenter:
    """A model that is loaded and ready to segment images.

    It is as thread-safe as its network: use it from one thread at a time, unless the network allows more.

    Attributes:
        spec: the model's entry in the registry of models.
        network: the network with its weights.
        engine: the engine that runs it: "openvino", "onnxruntime" or "paddle".
        precision: the precision of its image encoder, such as "float32".
    """

    def __init__(self, spec: ModelSpec, network: Network, engine: str, precision: str = "float32") -> None:
        self.spec = spec
        self.network = network
        self.engine = engine
        self.precision = precision

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights, in hexadecimal: of their file, or of all files of an inference model's folder."""
        return digests.of_weights(self.spec.weights)

    @cached_property
    def _edition(self) -> str:
        """`weights_sha256`, or nothing for a network without a file of weights."""
        return self.weights_sha256 if self.spec.weights.exists() else ""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything except the image that an embedding depends on: see `ovseg_core.fingerprint`."""
        return fingerprint.of_embeddings(self.spec, self.weights_sha256, self.precision)

    @classmethod
    def open(
        cls, model: str = "SAM-Lite", device: str = "cpu", engine: str = "auto", precision: str = "float32"
    ) -> Segmenter:
        """Load a model.

        Args:
            model: a name in the registry of models (`ovseg models list`).
            device: "cpu", "gpu:0" or another of `ovseg_core.devices`.
            engine: one of `networks.ENGINES`; "auto" means the fastest that is installed.
            precision: one of `networks.PRECISIONS`; "auto" means bfloat16 on a CPU that supports it, and float32
                otherwise.

        Returns:
            The model, ready to segment images.

        Raises:
            OvsegError: `unknown_model`, or `model_not_installed` if its weights are not on this machine.
            ValueError: the weights do not fit the network, Paddle has no such device, or the engine cannot run the
                model in this precision.
        """
        return cls.of(models.resolved(model), device, engine, precision)

    @classmethod
    def of(cls, spec: ModelSpec, device: str, engine: str, precision: str = "float32") -> Segmenter:
        """Load a model that need not be in the registry. Arguments and errors are those of `open`."""
        if not spec.is_installed:
            message = f"{spec.name} is not installed here; `ovseg models pull {spec.name}` fetches it to {spec.weights}"
            raise OvsegError("model_not_installed", message, "model")
        chosen = networks.choose_engine(spec.network, device, engine)
        precision = networks.choose_precision(spec.network, spec.weights, device, chosen, precision)
        network = networks.load(spec.network, spec.weights, device, chosen, precision)
        return cls(spec, network, chosen, precision)

    def encode(self, image_rgb: np.ndarray) -> Embedding:
        """Compute the embedding of an image. This takes most of the time, and is needed once for any number of prompts.

        Args:
            image_rgb: (H, W, 3) uint8, RGB.

        Returns:
            The embedding, for `decode`.
        """
        return self.encode_batch([image_rgb])[0]

    def encode_batch(self, images_rgb: Sequence[np.ndarray]) -> list[Embedding]:
        """Compute the embeddings of several images in one run of the network.

        Args:
            images_rgb: each (H, W, 3) uint8, RGB; their sizes may differ.

        Returns:
            One embedding for each image, in their order.
        """
        encoded = encoding.encode(self.spec.name, self.network, self.spec.preset, images_rgb)
        return [replace(embedding, weights_sha256=self._edition) for embedding in encoded]

    def image_embedding(self, embedding: Embedding) -> np.ndarray:
        """Return the image embedding alone, (C, h, w) float32, of the features that the model decodes from.

        Raises ValueError if the model has none: PaddleX's inference models encode an image for each prompt again.
        """
        of_features = self.spec.family.image_embedding
        if of_features is None:
            raise ValueError(f"{self.spec.name} has no image embedding")
        return of_features(embedding.features)

    def canvas(self, image_rgb: np.ndarray) -> np.ndarray:
        """Return the network's input for an image (H, W, 3) uint8: (1, 3, S, S) float32."""
        return encoding.canvas_of(image_rgb, self.network.canvas_size, self.spec.preset)

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Mask]:
        """Segment the object of each prompt.

        A click without a box is ambiguous: it may mean the button, the shirt or the person. The candidate with the
        highest predicted IoU is returned, as SAM does.

        An answer can be refined: `Prompt.of(points=[[x, y]], labels=[0], mask=answer)` is the same object without the
        part around (x, y), and with label 1 the object with what is missing there.

        Args:
            embedding: the embedding of the image, made by the same model.
            prompts: what to segment, with coordinates in pixels of the image.

        Returns:
            One mask for each prompt, in their order.

        Raises:
            OvsegError: `box_outside_image`, `point_outside_image` or `mask_size_mismatch` if a prompt is not of this
                image; `prompt_not_supported` if the model cannot take a prompt of its kind.
            ValueError: the embedding was made by another model.
        """
        return [max(masks, key=_likelihood) for masks in self._masks(embedding, prompts, multimask_output=None)]

    def candidates(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[list[Mask]]:
        """Return all masks that the model has for each prompt.

        For SAM these are three for every prompt, as with `multimask_output` in `segment_anything`; the mask that
        `decode` returns for a box is another one, which SAM keeps for clear prompts. For SAM-Lite these are three for
        clicks, and one for a prompt with a box or a mask. PaddleX's inference models have one for each prompt.

        Args:
            embedding: the embedding of the image, made by the same model.
            prompts: what to segment, with coordinates in pixels of the image.

        Returns:
            A list of masks for each prompt, in their order. The mask with the highest predicted IoU is first.

        Raises:
            OvsegError: as `decode`.
            ValueError: the embedding was made by another model.
        """
        several = self._masks(embedding, prompts, multimask_output=True)
        return [sorted(masks, key=_likelihood, reverse=True) for masks in several]

    def everything(
        self,
        image_rgb: search.Image | None,
        embedding: Embedding | None = None,
        *,
        mask_threshold: float | None = None,
        **options: Any,
    ) -> Generator[Step, None, None]:
        """Find the masks of all objects of an image, without prompts.

        The image is clicked on a grid, and the masks that are likely, stable and no duplicates are chosen. Nothing is
        computed before the iterator is used; to cancel, stop using it, or close it. The masks and their order are those
        of segment-anything's `SamAutomaticMaskGenerator`, except that masks without pixels are left out, and that
        SAM-Lite does more: see `everything_refines` and `everything_ranks_by_stability` of `Preset`.

        >>> for step in segmenter.everything(image_rgb, points_per_side=16):
        ...     print(f"{step.points_done} of {step.points_total} points")
        >>> answers = step.answers

        Args:
            image_rgb: (H, W, 3) uint8, RGB, or a function that returns it, which is called only if its pixels are
                needed. With an embedding and without crops they are not needed, and it may be None.
            embedding: the embedding of the whole image, if it was computed before.
            mask_threshold: a pixel belongs to a mask if its logit exceeds this; None is the model's
                `point_mask_threshold`.
            options: values by the names of `EverythingOptions`. The model's own defaults (`Preset.everything`) hold for
                all others.

        Returns:
            An iterator: a step after each `points_per_batch` clicks, and a last one with the final answers.

        Raises:
            OvsegError: `invalid_options`, or `prompt_not_supported` if the model has no everything mode.
            ValueError: from the iterator: the embedding was made by another model or of another image, or the image is
                missing.
        """
        self.spec.check_everything()
        preset = self.spec.preset
        threshold = preset.point_mask_threshold if mask_threshold is None else mask_threshold
        model = search.Model(
            encode=self.encode,
            decode=self._clicked,
            points_per_run=preset.prompts_per_batch,
            masking=Masking(threshold, preset.max_hole_share, preset.via_canvas, preset.by_region),
            ranks_by_stability=preset.everything_ranks_by_stability,
            refine=self._refined if preset.everything_refines else None,
        )
        return search.search(model, image_rgb, embedding, preset.everything.changed(options))

    def low_res_masks(
        self,
        embedding: Embedding,
        prompt: Prompt,
        mask_input: np.ndarray | None = None,
        multimask_output: bool | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return SAM's logits over the canvas, which `segment_anything` calls low-res masks.

        They can be given back as `mask_input`, with more clicks. A prompt's own `mask` is the simpler way, and serves
        all models, but it has only the outline of the earlier mask; the logits also say where the model was in doubt.

        Args:
            embedding: the embedding of the image, made by the same model.
            prompt: what to segment, with coordinates in pixels of the image.
            mask_input: one of the masks of an earlier call, (S/4, S/4) logits, to be refined by further clicks. It
                takes the place of the prompt's own `mask`.
            multimask_output: as in `segment_anything`: True for three masks, False for one. None: three for a prompt
                that is one click, which is ambiguous, and one for all others.

        Returns:
            Logits (M, S/4, S/4) float32 and predicted IoU (M,) of M masks; S is the side of the canvas.

        Raises:
            OvsegError: as `decode`.
            ValueError: the embedding was made by another model, or the model is not a SAM: other models have no low-res
                masks.
        """
        if self.spec.preset.by_region:
            raise ValueError(f"{self.spec.name} has no low-res masks; only the SAM models have them")
        self.spec.check_prompts([prompt])
        batch = self._batch([prompt.within(embedding.frame.image_hw)], embedding.frame)
        if mask_input is not None:
            batch = batch._replace(mask_inputs=np.asarray(mask_input, np.float32)[None])
        if multimask_output is None:
            multimask_output = prompt.kind == "point"
        answer = self._answer(embedding, batch, multimask_output)
        return answer.logits[0], answer.iou[0]

    def mask_of(self, embedding: Embedding, low_res_mask: np.ndarray, iou: float) -> Mask:
        """Resize a mask to the image.

        Args:
            embedding: the embedding of the image.
            low_res_mask: one of the masks that `low_res_masks` returned, (S/4, S/4) logits.
            iou: its predicted IoU.

        Returns:
            The mask in pixels of the image.
        """
        side = float(self.network.canvas_size)
        return self._mask(embedding.frame, low_res_mask, np.array([0, 0, side, side]), iou, Prompt.of_point(0, 0))

    def _masks(
        self, embedding: Embedding, prompts: Sequence[Prompt], multimask_output: bool | None
    ) -> list[list[Mask]]:
        self.spec.check_prompts(prompts)
        frame = embedding.frame
        found: dict[int, list[Mask]] = {}
        fitted = [prompt.within(frame.image_hw) for prompt in prompts]
        for batch in prompt_batches.by_shape(fitted, self.spec.preset.prompts_per_batch):
            answer = self._answer(embedding, self._batch(list(batch.values()), frame), multimask_output)
            for n, (i, prompt) in enumerate(batch.items()):
                candidates = zip(answer.logits[n], answer.regions[n], answer.iou[n], strict=True)
                found[i] = [self._mask(frame, *candidate, prompt) for candidate in candidates]
        return [found[i] for i in range(len(prompts))]

    def _clicked(self, embedding: Embedding, points: np.ndarray, min_iou: float) -> Candidates:
        """Return all candidates of clicks (N, 2), each a prompt of its own, in pixels of the image.

        Those with a predicted IoU that is not above `min_iou` may have no logits; with 0, all have them.
        """
        prompts = self._batch([Prompt.of_point(x, y) for x, y in points.tolist()], embedding.frame)
        if min_iou:
            prompts = prompts._replace(min_iou=np.full(len(points), min_iou, np.float32))
        return self._answer(embedding, prompts, multimask_output=True)

    def _refined(self, embedding: Embedding, points: np.ndarray, found: Sequence[Proposal]) -> Candidates:
        """Return the better masks (N, 1) of masks that clicks (N, 2) found, in pixels of the image.

        The predicted IoU stays that of the first answer, which is the better estimate. On photos of COCO it puts a mask
        that fits a labelled thing before one that does not in 67 % of the pairs; the second answer's does in 64 %.
        """
        patches = [proposal.patch for proposal in found if proposal.patch is not None]
        logits, regions = (np.stack(several) for several in zip(*patches, strict=True))
        prompts = self._batch([Prompt.of_point(x, y) for x, y in points.tolist()], embedding.frame)
        answer = self._answer(embedding, prompts._replace(drafts=logits, draft_regions=regions), multimask_output=True)
        iou = np.array([[proposal.predicted_iou] for proposal in found], np.float32)
        return replace(answer, iou=np.repeat(iou, answer.iou.shape[1], 1))

    def _batch(self, prompts: Sequence[Prompt], frame: Frame) -> PromptBatch:
        return prompt_batches.of(prompts, frame, self.spec.preset.mask_input_stride)

    def _answer(self, embedding: Embedding, prompts: PromptBatch, multimask_output: bool | None) -> Candidates:
        if embedding.model != self.spec.name:
            raise ValueError(f"an embedding of {embedding.model} cannot be decoded by {self.spec.name}")
        if embedding.weights_sha256 not in ("", self._edition):
            raise ValueError(f"other weights of {self.spec.name} made this embedding: encode the image again")
        return self.network.decode(embedding.features, prompts, multimask_output)

    def _mask(self, frame: Frame, logits: np.ndarray, region: np.ndarray, iou: float, prompt: Prompt) -> Mask:
        """Return the mask of a prompt; `region` (4,) is what the logits (h, w) cover, in canvas pixels."""
        preset = self.spec.preset
        threshold = preset.point_mask_threshold if prompt.box is None else preset.box_mask_threshold
        # A click of label 0 may have made the hole, and the mask that is a prompt may have had it.
        if preset.max_hole_share and 0 not in prompt.labels and prompt.mask is None:
            logits = holes.filled(logits, threshold, preset.max_hole_share)
        return resample.to_mask(
            logits,
            tuple(region / np.tile(frame.scale_xy, 2)),
            frame.image_hw,
            mask_threshold=threshold,
            score=score_of(iou),
            clip_to=prompt.box if preset.clip_to_box else None,
            via_canvas=frame if preset.via_canvas else None,
        )


def _likelihood(mask: Mask) -> float:
    return mask.score or 0.0

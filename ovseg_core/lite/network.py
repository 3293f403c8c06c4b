"""SAM-Lite as a network, on any engine: it encodes an image once and decodes prompts from its maps.

The three learned parts run on an engine. The steps between them, from prompts to maps and back, are in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ovseg_core.candidates import Candidates
from ovseg_core.engines.parts import Runner
from ovseg_core.lite import geometry, prompt_maps, regions
from ovseg_core.lite.shape import (
    CLICK_WIDTHS,
    COARSE_STRIDE,
    FINE_CLICK_WIDTH,
    MASK,
    MASK_CELLS,
    MASK_CHANNELS,
    REGION,
    STRIDES,
)
from ovseg_core.network import DecodeBatch, Features, PromptBatch, image_by_image

# The logits inside and outside of a mask that is a prompt, to which the network's logits are added. Measured on things
# of training photos: with 2, their true masks come back with a mean IoU of 0.94 (0.85 with 0, 0.90 with 1), and a
# correcting click raises the masks that one click found from 0.740 to 0.786 (0.793 with 1), and those of a box from
# 0.856 to 0.877 (0.862 with 1).
MASK_LOGIT = 2.0


class SamLite:
    """A `network.Network` whose features are three maps, (C, S/s, S/s) float32 at strides s of 4, 8 and 16."""

    def __init__(self, run: Mapping[str, Runner], canvas_size: int) -> None:
        """`run` runs each part of `LiteParts` by its name."""
        self._run, self.canvas_size = run, canvas_size

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Return the maps of each image, from normalised canvases (B, 3, S, S) float32."""
        return list(zip(*self._run["encode"](canvases), strict=True))

    def decode(self, features: Features, prompts: PromptBatch, multimask_output: bool | None = None) -> Candidates:
        """Return the masks of prompts of one image.

        A prompt with a box or a mask has one candidate. A prompt of clicks is ambiguous and has three: with
        `multimask_output` all of them are returned, otherwise only the one with the highest predicted IoU.
        """
        if prompts.mask_inputs is not None:
            return self._decode_masks(features, prompts)
        if prompts.drafts is not None:
            return self._refine(features, prompts)
        boxes, points, labels, _, min_iou, *_ = prompts
        if boxes is not None:
            region_xyxy = regions.around(boxes)
            drawn = prompt_maps.of_region(region_xyxy, boxes, points, labels, None)
            logits, iou = self._masks(features, region_xyxy, drawn)
            return Candidates(logits[:, None], region_xyxy[:, None], iou[:, None])
        assert points is not None
        assert labels is not None
        return self._decode_clicks(features, points, labels, min_iou, multimask_output)

    def decode_batch(self, batch: DecodeBatch, multimask_output: bool | None = None) -> list[Candidates]:
        """Do `decode` for each item, with one call for each image: regions are cut from the maps of one image."""
        return image_by_image(self, batch, multimask_output)

    def _decode_clicks(
        self,
        features: Features,
        points: np.ndarray,
        labels: np.ndarray,
        min_iou: np.ndarray | None,
        multimask_output: bool | None,
    ) -> Candidates:
        """Locate the clicked objects, and compute the mask of each likely candidate in a region around it."""
        coarse, iou = self._locate(features, points, labels)
        best = np.argmax(iou, 1)[:, None]
        chosen = np.tile(np.arange(iou.shape[1]), (len(iou), 1)) if multimask_output else best  # N, M
        iou = np.take_along_axis(iou, chosen, 1)
        coarse = np.take_along_axis(coarse, chosen[:, :, None, None], 1)
        prompt, mask = np.nonzero(np.ones(iou.shape, bool) if min_iou is None else iou > min_iou[:, None])
        logits = np.full((*iou.shape, MASK, MASK), -np.inf, np.float32)
        region_xyxy = np.zeros((*iou.shape, 4), np.float32)
        if len(prompt):
            logits[prompt, mask], region_xyxy[prompt, mask] = self._around_clicks(
                features, coarse[prompt, mask], points[prompt], labels[prompt]
            )
        return Candidates(logits, region_xyxy, iou)

    def _around_clicks(
        self, features: Features, coarse: np.ndarray, points: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (N, MASK, MASK) and the regions (N, 4) that they cover, from coarse logits (N, S/8, S/8)."""
        boxes = [
            regions.box_of(mask, COARSE_STRIDE, clicks[of_clicks == 1])
            for mask, clicks, of_clicks in zip(coarse, points, labels, strict=True)
        ]
        region_xyxy = regions.around(np.stack(boxes))
        probability = _probability(coarse, COARSE_STRIDE, region_xyxy, REGION)
        drawn = prompt_maps.of_region(region_xyxy, None, points, labels, probability)
        logits, _ = self._masks(features, region_xyxy, drawn)
        return logits, region_xyxy

    def _decode_masks(self, features: Features, prompts: PromptBatch) -> Candidates:
        """Return masks that are prompts as the network sees them, or, with clicks, as the clicks change them.

        Where the network is not sure, the mask stays. The clicks change it by the difference that they make to the mask
        of its box: the network was trained with clicks in a box that correct its own mask, and not with clicks that
        correct a given one, which it mostly ignores.
        """
        boxes, points, labels, mask_inputs, *_ = prompts
        assert mask_inputs is not None
        if boxes is None:
            boxes = regions.boxes_of_masks(mask_inputs, self.canvas_size, points, labels)
        region_xyxy = regions.around(boxes)
        stride = self.canvas_size // mask_inputs.shape[-1]
        logits = MASK_LOGIT * (2 * _probability(mask_inputs, stride, region_xyxy, MASK) - 1)
        if points is None:
            coarse = _probability(mask_inputs, stride, region_xyxy, REGION)
            change, iou = self._masks(
                features, region_xyxy, prompt_maps.of_region(region_xyxy, None, None, None, coarse)
            )
        else:
            unclicked = prompt_maps.of_region(region_xyxy, boxes, None, None, None)
            clicked = prompt_maps.of_region(region_xyxy, boxes, points, labels, None)
            before, _ = self._masks(features, region_xyxy, unclicked)
            after, iou = self._masks(features, region_xyxy, clicked)
            change = after - before
        return Candidates((logits + change)[:, None], region_xyxy[:, None], iou[:, None])

    def _refine(self, features: Features, prompts: PromptBatch) -> Candidates:
        """Compute the masks of clicks a second time.

        Each mask is drawn in a region around itself, where the coarse mask of the locator was drawn before. The first
        region was that of the coarse mask, and often cut the object off.
        """
        points, labels, drafts, earlier = prompts.points, prompts.labels, prompts.drafts, prompts.draft_regions
        assert points is not None
        assert labels is not None
        assert drafts is not None
        assert earlier is not None
        boxes = [regions.box_in(*draft) for draft in zip(drafts, earlier, points, strict=True)]
        region_xyxy = regions.around(np.stack(boxes))
        probability = 1 / (1 + np.exp(-drafts))
        coarse = [regions.moved(*draft, REGION) for draft in zip(probability, earlier, region_xyxy, strict=True)]
        drawn = prompt_maps.of_region(region_xyxy, None, points, labels, np.stack(coarse))
        logits, iou = self._masks(features, region_xyxy, drawn)
        return Candidates(logits[:, None], region_xyxy[:, None], iou[:, None])

    def _locate(self, features: Features, points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coarse logits (N, CANDIDATES, S/8, S/8) and predicted IoU (N, CANDIDATES) of clicks."""
        _, map8, map16 = features
        is_on = (labels == 1).astype(np.float32)
        weights = is_on / is_on.sum(1, keepdims=True)
        clicked = [geometry.at_points(m, points, weights, s) for m, s in zip((map8, map16), STRIDES[1:], strict=True)]
        drawn8 = prompt_maps.of_canvas(points, labels, map8.shape[1:], STRIDES[1], FINE_CLICK_WIDTH)
        drawn16 = [prompt_maps.of_canvas(points, labels, map16.shape[1:], STRIDES[2], w) for w in CLICK_WIDTHS]
        feature, same = np.split(map16[MASK_CHANNELS[2] :], 2)
        maps = (m[None] for m in (map8[MASK_CHANNELS[1] :], feature, same))
        coarse, iou = self._run["locate"](*maps, np.concatenate(clicked, 1), drawn8, np.concatenate(drawn16, 1))
        return coarse, iou

    def _masks(self, features: Features, region_xyxy: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return logits (N, MASK, MASK) and predicted IoU (N,) of regions (N, 4) with these prompt maps."""
        detail, region8, region16 = (
            geometry.sampled(m[:channels], region_xyxy, cells, stride)
            for m, channels, cells, stride in zip(features, MASK_CHANNELS, MASK_CELLS, STRIDES, strict=True)
        )
        logits, iou = self._run["mask"](detail, region8 + region16, drawn)
        return logits, iou


def _probability(logits: np.ndarray, stride: int, region_xyxy: np.ndarray, size: int) -> np.ndarray:
    """Return the probabilities (N, size, size) in regions (N, 4) from logits (N, h, w) of the whole canvas."""
    probability = 1 / (1 + np.exp(-logits))
    found = [
        geometry.sampled(one, region, size, stride, stride / 2)[0, 0]
        for one, region in zip(probability[:, None], region_xyxy[:, None], strict=True)
    ]
    return np.stack(found)

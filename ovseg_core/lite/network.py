"""SAM-Lite as a network, on any engine: it encodes an image once and decodes prompts from its maps.

The three learned parts run on an engine. The steps between them, from prompts to maps and back, are in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ovseg_core import blas
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

        A prompt with a box, with or without clicks, has one candidate. A prompt of clicks is ambiguous and has three:
        with `multimask_output` all of them are returned, otherwise only the one with the highest predicted IoU.
        """
        boxes, points, labels, _, min_iou = prompts
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
        rows, columns = geometry.region_filters(region_xyxy, REGION, coarse.shape[1], COARSE_STRIDE, COARSE_STRIDE / 2)
        with blas.on_one_thread():
            probability = rows @ (1 / (1 + np.exp(-coarse))) @ columns.transpose(0, 2, 1)
        drawn = prompt_maps.of_region(region_xyxy, None, points, labels, probability)
        logits, _ = self._masks(features, region_xyxy, drawn)
        return logits, region_xyxy

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
        left, top, side = regions.window(region_xyxy, self.canvas_size)
        in_window = region_xyxy - np.array([left, top, left, top], np.float32)
        maps: list[np.ndarray] = []
        filters: list[np.ndarray] = []
        for m, channels, stride, cells in zip(features, MASK_CHANNELS, STRIDES, MASK_CELLS, strict=True):
            x, y, count = left // stride, top // stride, side // stride
            maps.append(m[None, :channels, y : y + count, x : x + count])
            filters += geometry.region_filters(in_window, cells, count, stride)
        logits, iou = self._run["mask"](*maps, *filters, drawn)
        return logits, iou

"""SAM-Lite as one network: encode an image once, decode prompts from its maps.

What needs no learning, from prompts to maps and back, is NumPy's; the three learned parts run on an engine.
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
    def __init__(self, run: Mapping[str, Runner], canvas_size: int) -> None:
        """`run` has the parts of `LiteParts`."""
        self._run, self.canvas_size = run, canvas_size

    def encode(self, canvases: np.ndarray) -> list[Features]:
        """Normalised canvases (B, 3, S, S) float32 to the maps of each, (C, S/s, S/s) at strides s of 4, 8 and 16."""
        return list(zip(*self._run["encode"](canvases), strict=True))

    def decode(self, features: Features, prompts: PromptBatch, all_candidates: bool = False) -> Candidates:
        """One candidate for a box, with clicks or without. Clicks alone say less: of their three candidates the one
        with the highest predicted IoU, or `all_candidates`."""
        boxes, points, labels, _ = prompts
        if boxes is not None:
            around = regions.around(boxes)
            logits, iou = self._masks(features, around, prompt_maps.of_region(around, boxes, points, labels, None))
            return Candidates(logits[:, None], around[:, None], iou[:, None])
        assert points is not None
        assert labels is not None
        return self._of_clicks(features, points, labels, all_candidates)

    def decode_batch(self, batch: DecodeBatch, all_candidates: bool = False) -> list[Candidates]:
        """In one run for each image: a region is cut from the maps of its own."""
        return image_by_image(self, batch, all_candidates)

    def _of_clicks(
        self, features: Features, points: np.ndarray, labels: np.ndarray, all_candidates: bool
    ) -> Candidates:
        coarse, iou = self._located(features, points, labels)
        best = np.argmax(iou, 1)[:, None]
        kept = np.tile(np.arange(iou.shape[1]), (len(iou), 1)) if all_candidates else best  # N, C
        iou = np.take_along_axis(iou, kept, 1)
        coarse = np.take_along_axis(coarse, kept[:, :, None, None], 1)
        count, each = kept.shape
        coarse = coarse.reshape(count * each, *coarse.shape[2:])
        points, labels = np.repeat(points, each, 0), np.repeat(labels, each, 0)
        boxes = [
            regions.box_of(mask, COARSE_STRIDE, clicks[on == 1])
            for mask, clicks, on in zip(coarse, points, labels, strict=True)
        ]
        around = regions.around(np.stack(boxes))
        rows, columns = geometry.region_filters(around, REGION, coarse.shape[1], COARSE_STRIDE, COARSE_STRIDE / 2)
        with blas.on_one_thread():
            seen = rows @ (1 / (1 + np.exp(-coarse))) @ columns.transpose(0, 2, 1)
        logits, _ = self._masks(features, around, prompt_maps.of_region(around, None, points, labels, seen))
        return Candidates(logits.reshape(count, each, MASK, MASK), around.reshape(count, each, 4), iou)

    def _located(self, features: Features, points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coarse logits (N, CANDIDATES, H/8, W/8) and predicted IoU (N, CANDIDATES)."""
        _, m8, m16 = features
        on = (labels == 1).astype(np.float32)
        shares = on / on.sum(1, keepdims=True)
        clicked = [geometry.at_points(m, points, shares, s) for m, s in zip((m8, m16), STRIDES[1:], strict=True)]
        drawn8 = prompt_maps.of_canvas(points, labels, m8.shape[1:], STRIDES[1], FINE_CLICK_WIDTH)
        drawn16 = [prompt_maps.of_canvas(points, labels, m16.shape[1:], STRIDES[2], w) for w in CLICK_WIDTHS]
        feature, same = np.split(m16[MASK_CHANNELS[2] :], 2)
        maps = (m[None] for m in (m8[MASK_CHANNELS[1] :], feature, same))
        coarse, iou = self._run["locate"](*maps, np.concatenate(clicked, 1), drawn8, np.concatenate(drawn16, 1))
        return coarse, iou

    def _masks(self, features: Features, around: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left, top, side = regions.window(around, self.canvas_size)
        inside = around - np.array([left, top, left, top], np.float32)
        maps: list[np.ndarray] = []
        filters: list[np.ndarray] = []
        for m, channels, stride, cells in zip(features, MASK_CHANNELS, STRIDES, MASK_CELLS, strict=True):
            x, y, count = left // stride, top // stride, side // stride
            maps.append(m[None, :channels, y : y + count, x : x + count])
            filters += geometry.region_filters(inside, cells, count, stride)
        logits, iou = self._run["mask"](*maps, *filters, drawn)
        return logits, iou

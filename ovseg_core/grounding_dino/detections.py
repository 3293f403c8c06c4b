"""The boxes that are found, and the choice among all boxes of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ovseg_core.everything import nms
from ovseg_core.grounding_dino.options import DetectionOptions


class Searched(NamedTuple):
    """All Q boxes of the network for the P phrases of one pass, and how well each box fits each phrase.

    Attributes:
        boxes: (Q, 4) float32, centre and size from 0 to 1 of the image.
        scores: (Q, P) float32, from 0 to 1.
        phrases: the indices of the P phrases in the caller's list.
        image_hw: height and width of the image, in pixels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    phrases: tuple[int, ...]
    image_hw: tuple[int, int]


class Detections(NamedTuple):
    """N boxes, those with the highest scores first.

    Attributes:
        boxes_xyxy: (N, 4) float32: x0, y0, x1, y1 in pixels of the image, not beyond it.
        scores: (N,) float32, from 0 to 1: how well the box fits the phrase.
        phrases: (N,): the index of the phrase in the caller's list.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    phrases: np.ndarray

    def rows(self, indices: np.ndarray) -> Detections:
        """Return these boxes, in this order."""
        return Detections(self.boxes_xyxy[indices], self.scores[indices], self.phrases[indices])


def found(searched: Searched, options: DetectionOptions) -> Detections:
    """Return the boxes whose scores exceed the thresholds, in no order."""
    scores = searched.scores
    fits = (scores > options.text_threshold) & (scores.max(axis=1, keepdims=True) > options.box_threshold)
    queries, columns = np.nonzero(fits)
    pixels = in_pixels(corners(searched.boxes[queries]).clip(0, 1), searched.image_hw)
    return Detections(pixels, scores[queries, columns].astype(np.float32), np.array(searched.phrases)[columns])


def corners(boxes: np.ndarray) -> np.ndarray:
    """Return boxes (N, 4) as their corners x0, y0, x1, y1 instead of their centres and sizes."""
    centres, halves = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def in_pixels(corners: np.ndarray, image_hw: tuple[int, int]) -> np.ndarray:
    """Return corners (N, 4), from 0 to 1 of the image, in pixels as float32."""
    height, width = image_hw
    pixels: np.ndarray = (corners * [width, height, width, height]).astype(np.float32)
    return pixels


def best(several: Sequence[Detections], options: DetectionOptions) -> Detections:
    """Return the best boxes of several texts, after non-maximum suppression."""
    joined = Detections(*(np.concatenate(arrays) for arrays in zip(*several, strict=True)))
    joined = joined.rows(np.argsort(-joined.scores, kind="stable"))
    if options.nms_threshold is not None:
        joined = joined.rows(_without_overlaps(joined, options.nms_threshold, options.class_agnostic_nms))
    return joined.rows(np.arange(min(len(joined.scores), options.max_objects)))


def _without_overlaps(boxes: Detections, threshold: float, across_phrases: bool) -> np.ndarray:
    """Return the indices of the boxes that are kept, in their order."""
    groups = np.zeros_like(boxes.phrases) if across_phrases else boxes.phrases
    kept = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        kept.append(members[nms.kept(boxes.boxes_xyxy[members], boxes.scores[members], threshold)])
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.intp)

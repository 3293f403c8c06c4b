"""The masks that a grid of clicks finds in one crop, before duplicates are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ovseg_core import holes, resample
from ovseg_core.answer import Answer
from ovseg_core.candidates import Candidates
from ovseg_core.canvas import Frame
from ovseg_core.everything import nms
from ovseg_core.everything.crops import Box, Crop
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.mask import Mask, score_of
from ovseg_core.prompts import Prompt

EDGE = 20  # pixels: a mask this close to the edge of its crop is probably cut off there
# Share of the cells along the edge of a region that a whole mask may have. Chosen on photos of COCO: of SAM-Lite's
# masks with more cells there 3 % fit a labelled thing, of the others 6 %.
ALONG_EDGE = 0.05


class Patch(NamedTuple):
    """Logits (h, w) and the region (4,) that they cover, in canvas pixels of the crop."""

    logits: np.ndarray
    region: np.ndarray


@dataclass(frozen=True, eq=False)
class Proposal:
    """A mask that a click found.

    Attributes:
        mask: the mask, in pixels of the whole image.
        point: x and y of the click, in pixels of the image.
        predicted_iou: the network's estimate of the mask's IoU; unlike the score of `mask`, it is not rounded.
        stability_score: how little the mask changes if its threshold is moved, 0 to 1.
        crop: the crop that was clicked.
        patch: the network's logits of the mask, for `search.Model.refine`; None if they cover the whole canvas.
    """

    mask: Mask
    point: tuple[float, float]
    predicted_iou: float
    stability_score: float
    crop: Crop
    patch: Patch | None = None

    @property
    def rank(self) -> float:
        """Predicted IoU times stability score."""
        return self.predicted_iou * self.stability_score

    @property
    def answer(self) -> Answer:
        """The mask as an answer to its click."""
        prompt = Prompt.of_point(*self.point)
        return Answer(self.mask, prompt, 0, self.stability_score, is_of_everything=True)


@dataclass(frozen=True)
class Masking:
    """How a network's logits become masks: the values of `family.Preset`, which describes them.

    If they cover a region (`by_region`), the stability score is counted on them, and masks that are not stable are not
    resized; otherwise it is counted on the pixels of the crop, as in segment-anything.
    """

    mask_threshold: float
    max_hole_share: float
    via_canvas: bool
    by_region: bool


def of(
    candidates: Candidates,
    points: np.ndarray,  # N, 2: the clicks that the candidates belong to, in pixels of the crop
    crop: Crop,
    frame: Frame,
    masking: Masking,
    options: EverythingOptions,
    whole_only: bool = False,
) -> list[Proposal]:
    """Return the candidates that are likely, stable and not cut off by the edge of the crop, in their order.

    With `whole_only`, those that are cut off by the edge of their region are left out too.
    """
    proposals = []
    is_likely = candidates.iou > options.pred_iou_thresh if options.pred_iou_thresh else candidates.iou > -np.inf
    for n, m in np.argwhere(is_likely):
        logits, region = candidates.logits[n, m], candidates.regions[n, m]
        found = _stable_mask(logits, region, frame, masking, options)
        if found is None or (whole_only and _reaches_edge(logits > masking.mask_threshold, region, frame)):
            continue
        mask, stability = found
        iou = float(candidates.iou[n, m])
        mask = replace(mask.moved(crop.box_xyxy[:2], crop.image_hw), score=score_of(iou))
        if mask.area and not _is_cut_off(mask.box_xyxy, crop):
            x, y = (points[n] + crop.box_xyxy[:2]).tolist()
            patch = Patch(logits, region) if masking.by_region else None
            proposals.append(Proposal(mask, (x, y), iou, stability, crop, patch))
    return proposals


def unique(proposals: Sequence[Proposal], scores: Sequence[float], iou_threshold: float) -> list[Proposal]:
    """Return the proposals without duplicates, the highest score first: boxes that overlap much are one object."""
    if not proposals:
        return []
    boxes = np.array([proposal.mask.box_xyxy for proposal in proposals])
    boxes[:, 2:] -= 1  # segment-anything's boxes end at the last pixel, not after it
    return [proposals[i] for i in nms.kept(boxes, np.array(scores, np.float32), iou_threshold)]


def _stable_mask(
    logits: np.ndarray, region: np.ndarray, frame: Frame, masking: Masking, options: EverythingOptions
) -> tuple[Mask, float] | None:
    """Return the mask of logits (h, w) in the crop, and its stability score; None if it is not stable.

    `region` (4,) is what the logits cover, in canvas pixels.
    """
    threshold = masking.mask_threshold
    others = [threshold + options.stability_score_offset, threshold - options.stability_score_offset]
    box = tuple(region / np.tile(frame.scale_xy, 2))
    if masking.by_region:
        stability = _ratio(*(int(np.count_nonzero(logits > other)) for other in others))
        if stability < np.float32(options.stability_score_thresh):
            return None
        if masking.max_hole_share:
            logits = holes.filled(logits, threshold, masking.max_hole_share)
        return resample.to_mask_and_counts(logits, box, frame.image_hw, threshold, [])[0], stability
    via_canvas = frame if masking.via_canvas else None
    mask, counts = resample.to_mask_and_counts(logits, box, frame.image_hw, threshold, others, via_canvas)
    stability = _ratio(*counts)
    return (mask, stability) if stability >= np.float32(options.stability_score_thresh) else None


def _ratio(above: int, below: int) -> float:
    """Return the stability score of a mask, in float32 as in segment-anything; 0 for an empty mask."""
    return float(np.float32(above) / np.float32(below)) if below else 0.0


def _reaches_edge(mask: np.ndarray, region: np.ndarray, frame: Frame) -> bool:
    """True if a mask (h, w) has many cells along those edges of its region that are not edges of the image."""
    x0, y0, x1, y1 = region
    height, width = frame.resized_hw
    edges = ((mask[:, 0], x0 > 1), (mask[0], y0 > 1), (mask[:, -1], x1 < width - 1), (mask[-1], y1 < height - 1))
    along = sum(np.count_nonzero(cells) for cells, is_inside in edges if is_inside)
    return bool(along > ALONG_EDGE * 2 * sum(mask.shape))


def _is_cut_off(box_xyxy: Box, crop: Crop) -> bool:
    """True if a side of the box is close to a side of the crop, and not to that side of the image."""
    box = np.array(box_xyxy) - (0, 0, 1, 1)  # to the last pixel, as in segment-anything
    height, width = crop.image_hw
    is_near_crop, is_near_image = abs(box - crop.box_xyxy) <= EDGE, abs(box - (0, 0, width, height)) <= EDGE
    return bool((is_near_crop & ~is_near_image).any())

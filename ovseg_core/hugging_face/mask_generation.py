"""`mask-generation`: the masks of all objects of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ovseg_core.everything.proposals import Proposal
from ovseg_core.hugging_face.loaded import Loaded
from ovseg_core.hugging_face.task import Picture, Task

# transformers' options, and their names in `EverythingOptions`. transformers has one threshold for all duplicates.
OPTIONS = {
    "points_per_batch": ("points_per_batch",),
    "points_per_crop": ("points_per_side",),
    "crops_n_layers": ("crop_n_layers",),
    "crop_overlap_ratio": ("crop_overlap_ratio",),
    "crop_n_points_downscale_factor": ("crop_n_points_downscale_factor",),
    "pred_iou_thresh": ("pred_iou_thresh",),
    "stability_score_thresh": ("stability_score_thresh",),
    "stability_score_offset": ("stability_score_offset",),
    "crops_nms_thresh": ("box_nms_thresh", "crop_nms_thresh"),
    "min_mask_region_area": ("min_mask_region_area",),
}


@dataclass(frozen=True)
class MaskGeneration(Task):
    """The parameters have the names of transformers' pipeline; None is the model's default.

    Args:
        points_per_batch: number of clicks that are decoded at a time.
        points_per_crop: number of clicks along each side of the image.
        crops_n_layers: number of further runs on crops of the image.
        crop_overlap_ratio: overlap of the crops, as a share of the image's shorter side.
        crop_n_points_downscale_factor: each layer of crops has this many times fewer clicks along a side.
        pred_iou_thresh: masks with a lower predicted IoU are dropped, 0 to 1.
        stability_score_thresh: masks with a lower stability score are dropped, 0 to 1.
        stability_score_offset: distance in logits of the two thresholds that the stability score compares.
        mask_threshold: a pixel belongs to a mask if its logit exceeds this.
        crops_nms_thresh: of two masks whose boxes have a larger IoU, one is dropped, 0 to 1.
        min_mask_region_area: holes and islands of fewer pixels are removed. transformers lacks it.
        output_rle_mask: True adds `rle_mask` to the result.
        output_bboxes_mask: True adds `bounding_boxes` to the result.
    """

    name: ClassVar[str] = "mask-generation"

    points_per_batch: int | None = None
    points_per_crop: int | None = None
    crops_n_layers: int | None = None
    crop_overlap_ratio: float | None = None
    crop_n_points_downscale_factor: int | None = None
    pred_iou_thresh: float | None = None
    stability_score_thresh: float | None = None
    stability_score_offset: float | None = None
    mask_threshold: float | None = None
    crops_nms_thresh: float | None = None
    min_mask_region_area: int | None = None
    output_rle_mask: bool = False
    output_bboxes_mask: bool = False

    def answer(self, loaded: Loaded, picture: Picture) -> dict[str, Any]:
        """Return the masks, those with the highest predicted IoU first.

        Returns:
            `masks`, a list of (H, W) bool; `scores`, their predicted IoU (N,) float32. If they are requested,
            `rle_mask`, a list of {"size": [H, W], "counts": [...]}, lengths of runs column by column, in turn outside
            and inside the mask; and `bounding_boxes` (N, 4), x0, y0, x1, y1 of the outermost pixels.
        """
        found = self.found(loaded, picture)
        masks = [proposal.mask for proposal in found]
        result: dict[str, Any] = {
            "masks": [mask.full() for mask in masks],
            "scores": np.array([proposal.predicted_iou for proposal in found], np.float32),
        }
        if self.output_rle_mask:
            result["rle_mask"] = [{"size": list(mask.image_hw), "counts": mask.runs} for mask in masks]
        if self.output_bboxes_mask:
            boxes = np.array([mask.box_xyxy for mask in masks], np.int64).reshape(-1, 4)
            result["bounding_boxes"] = boxes - [0, 0, 1, 1]
        return result

    def found(self, loaded: Loaded, picture: Picture) -> list[Proposal]:
        """Return the masks, those with the highest predicted IoU first.

        Raises OvsegError `invalid_options` for a parameter that is out of its range; its `field` is the name of the
        option.
        """
        values = {ours: getattr(self, theirs) for theirs, names in OPTIONS.items() for ours in names}
        options = {name: value for name, value in values.items() if value is not None}
        steps = loaded.segmenter.everything(
            picture.pixels, picture.embedding, mask_threshold=self.mask_threshold, **options
        )
        *_, last = steps
        return sorted(last.chosen or (), key=lambda proposal: -proposal.predicted_iou)

"""Everything mode with the interface of segment-anything's `SamAutomaticMaskGenerator`."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from ovseg_core.errors import OvsegError
from ovseg_core.everything.proposals import Proposal
from ovseg_core.mask import Mask
from ovseg_core.segmenter import Segmenter

OutputMode = Literal["binary_mask", "uncompressed_rle", "coco_rle"]


class AutomaticMaskGenerator:
    """Finds the masks of all objects of an image, with any model that everything mode supports.

    Args:
        segmenter: the model.
        output_mode: what `segmentation` is in each record: "binary_mask" is an array (H, W) bool, "uncompressed_rle"
            COCO's RLE as a list of numbers, and "coco_rle" COCO's RLE as a string. Binary masks need a byte for each
            pixel of the image and each mask.
        options: values by the names of `EverythingOptions`, which are those of segment-anything. The defaults are the
            model's (`Preset.everything`); for the SAM models these are segment-anything's. As there, `point_grids` may
            be arrays (P, 2), together with `points_per_side=None`.

    Raises:
        OvsegError: `invalid_options`; its `field` is the name of the wrong option.
    """

    def __init__(self, segmenter: Segmenter, *, output_mode: OutputMode = "binary_mask", **options: Any) -> None:
        if output_mode not in get_args(OutputMode):
            message = f"{output_mode!r} is unknown; allowed: {', '.join(get_args(OutputMode))}"
            raise OvsegError("invalid_options", message, "output_mode")
        if options.get("point_grids") is not None and options.get("points_per_side") is None:
            options.pop("points_per_side", None)  # segment-anything's callers give None together with their own grids
        segmenter.spec.preset.everything.changed(options)
        self._segmenter, self._output_mode, self._options = segmenter, output_mode, options

    def generate(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Return a record for each mask of an image.

        Args:
            image: (H, W, 3) uint8, RGB.

        Returns:
            For each mask a dictionary: `segmentation`, see `output_mode`; `area`, the number of its pixels; `bbox`, the
            box around it as [x, y, width, height], of which the last two are one less than the number of pixels, as in
            segment-anything; `predicted_iou`; `point_coords`, [[x, y]] of the click that found it; `stability_score`;
            `crop_box`, the crop that was clicked, as [x, y, width, height].
        """
        *_, last = self._segmenter.everything(image, **self._options)
        return [self._record(proposal) for proposal in last.chosen or ()]

    def _record(self, proposal: Proposal) -> dict[str, Any]:
        mask = proposal.mask
        (x0, y0, x1, y1), (left, top, right, bottom) = mask.box_xyxy, proposal.crop.box_xyxy
        return {
            "segmentation": self._segmentation(mask),
            "area": mask.area,
            "bbox": [x0, y0, x1 - x0 - 1, y1 - y0 - 1],
            "predicted_iou": proposal.predicted_iou,
            "point_coords": [list(proposal.point)],
            "stability_score": proposal.stability_score,
            "crop_box": [left, top, right - left, bottom - top],
        }

    def _segmentation(self, mask: Mask) -> np.ndarray | dict[str, Any]:
        if self._output_mode == "binary_mask":
            return mask.full()
        counts = mask.counts if self._output_mode == "coco_rle" else mask.runs
        return {"size": list(mask.image_hw), "counts": counts}

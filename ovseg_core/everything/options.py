"""The options of everything mode. The gateway reads them too, so this module imports no NumPy."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeGuard

from ovseg_core.errors import OvsegError

Grid = tuple[tuple[float, float], ...]

# The smallest and the largest value of each number. The upper bounds are far beyond what is useful; they keep the
# memory of a grid bounded.
RANGES: dict[str, tuple[float, float]] = {
    "points_per_side": (1, 256),
    "points_per_batch": (1, 1024),
    "pred_iou_thresh": (0, 1),
    "stability_score_thresh": (0, 1),
    "stability_score_offset": (0, 100),
    "box_nms_thresh": (0, 1),
    "crop_n_layers": (0, 4),
    "crop_nms_thresh": (0, 1),
    "crop_overlap_ratio": (0, 0.9),
    "crop_n_points_downscale_factor": (1, 16),
    "min_mask_region_area": (0, 1_000_000_000),
}


@dataclass(frozen=True)
class EverythingOptions:
    """How everything mode places its clicks and chooses among the masks that it finds.

    The names, the meanings and the defaults are those of `SamAutomaticMaskGenerator` of segment-anything
    (https://github.com/facebookresearch/segment-anything). A model may have other defaults: `Preset.everything`.

    Args:
        points_per_side: number of clicks along each side of the image; the grid is a square of them. 1 to 256. Ignored
            if there are `point_grids`.
        points_per_batch: number of clicks that are decoded at a time; it bounds memory. 1 to 1,024.
        pred_iou_thresh: masks with a lower predicted IoU are dropped. 0 to 1.
        stability_score_thresh: masks with a lower stability score are dropped. 0 to 1.
        stability_score_offset: distance in logits of the two thresholds that the stability score compares. 0 to 100.
        box_nms_thresh: of two masks whose boxes have a larger IoU, the one with the lower predicted IoU is dropped. 0
            to 1.
        crop_n_layers: number of further runs on crops of the image: layer i has (2^i)^2 crops. 0 to 4.
        crop_nms_thresh: as `box_nms_thresh`, between masks of different crops; the mask of the smaller crop is kept. 0
            to 1.
        crop_overlap_ratio: overlap of the crops of layer 1, as a share of the image's shorter side; halved with each
            layer. 0 to 0.9.
        crop_n_points_downscale_factor: the grid of layer i has `points_per_side` divided by this to the power of i. 1
            to 16.
        point_grids: one grid for the image and one for each layer of crops, instead of regular ones; each is a tuple of
            (x, y) from 0 to 1.
        min_mask_region_area: holes and islands of fewer pixels are removed from masks. 0 removes none.

    Raises:
        OvsegError: `invalid_options`; its `field` is the name of the wrong option.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    point_grids: tuple[Grid, ...] | None = None
    min_mask_region_area: int = 0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in RANGES.items():
            _check_number(name, getattr(self, name), lowest, highest)
        if self.point_grids is not None:
            _check_grids(self.point_grids, self.crop_n_layers + 1)

    def changed(self, given: Mapping[str, Any]) -> EverythingOptions:
        """Return the options with some of them replaced, from a request's JSON or a caller's keywords.

        Args:
            given: values by the names of this class. `point_grids` may be lists of lists, or of arrays.

        Returns:
            The options; those that are not given stay as they are.

        Raises:
            OvsegError: `invalid_options`; its `field` is the name that is unknown, or whose value is wrong.
        """
        known = [field.name for field in fields(self)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(str(name)[:80], known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(known)}"
                raise OvsegError("invalid_options", f"unknown option{hint}", str(name)[:80])
        values = dict(given)
        if values.get("point_grids") is not None:
            values["point_grids"] = _grids(values["point_grids"])
        return replace(self, **values)

    @property
    def point_count(self) -> int:
        """Number of clicks in the whole image and in all crops: the request's cost, and the total of its progress."""
        layers = range(self.crop_n_layers + 1)
        counts = [
            self.side_of(layer) ** 2 if self.point_grids is None else len(self.point_grids[layer]) for layer in layers
        ]
        return sum(count * 4**layer for layer, count in enumerate(counts))

    @property
    def encode_count(self) -> int:
        """Number of times that the image encoder runs: for the image, and for each crop."""
        return sum(4**layer for layer in range(self.crop_n_layers + 1))

    def side_of(self, layer: int) -> int:
        """Return the number of clicks along each side of the crops of a layer; layer 0 is the image."""
        return int(self.points_per_side / self.crop_n_points_downscale_factor**layer)


INTEGERS = frozenset(field.name for field in fields(EverythingOptions) if field.type == "int")


def _check_number(name: str, value: object, lowest: float, highest: float) -> None:
    kind = "a whole number" if name in INTEGERS else "a number"
    is_kind = _is_number(value) and (name not in INTEGERS or isinstance(value, int))
    if not (is_kind and lowest <= value <= highest):  # type: ignore[operator]  # it is a number
        raise OvsegError("invalid_options", f"must be {kind} from {lowest:,} to {highest:,}", name)


def _grids(given: Any, levels: int = 3) -> Any:
    """Return lists and arrays of at most three levels as tuples, and everything else as it is, also deeper lists."""
    given = given.tolist() if hasattr(given, "tolist") else given  # an array, as segment-anything takes them
    return tuple(_grids(item, levels - 1) for item in given) if levels and isinstance(given, list | tuple) else given


def _check_grids(grids: object, expected: int) -> None:
    if not (isinstance(grids, tuple) and all(isinstance(grid, tuple) and all(map(_is_point, grid)) for grid in grids)):
        message = "must be a list of grids, each a list of points [x, y] from 0 to 1"
        raise OvsegError("invalid_options", message, "point_grids")
    if len(grids) != expected:
        message = f"{len(grids)} grids; crop_n_layers needs {expected}: one for the image and one for each layer"
        raise OvsegError("invalid_options", message, "point_grids")


def _is_point(point: object) -> bool:
    return (
        isinstance(point, tuple) and len(point) == 2 and all(_is_number(value) and 0 <= value <= 1 for value in point)
    )


def _is_number(value: object) -> TypeGuard[float]:
    """True for a finite number. An integer is finite, and may be too large for `math.isfinite`."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, float) and math.isfinite(value)

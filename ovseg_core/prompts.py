"""Prompts: a box, points with labels, an earlier mask, or several of these for one object.

Coordinates are pixels of the image with its EXIF orientation applied, as a viewer shows it: x to the right, y down,
(0, 0) is the top left corner of the top left pixel, and (width, height) the bottom right corner of the last pixel.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ovseg_core.errors import OvsegError
from ovseg_core.mask_prompt import MaskPrompt

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.mask import Mask

Box = tuple[float, float, float, float]
Point = tuple[float, float]

KINDS = ("box", "point", "points", "mixed", "mask")  # of prompts; for each, PaddleX's label is KIND_prompt


@dataclass(frozen=True)
class Prompt:
    """One object to segment, given by a box, points, an earlier mask, or several of these. Every Prompt is well formed.

    Boxes, labelled points and masks are the prompts of Segment Anything (https://arxiv.org/abs/2304.02643, section 2).
    Coordinates are pixels of the image as a viewer shows it; fractions are allowed. They may lie outside the image:
    `within` and `Segmenter.decode` check them later and clip the box.

    Args:
        box: (x0, y0, x1, y1) in pixels, with x0 < x1 and y0 < y1.
        points: (x, y) of each point, in pixels.
        labels: one for each point: 1 if the point lies on the object, 0 if it lies on something else. Without a box and
            a mask, at least one label is 1.
        mask: a mask of the object that is to be refined. Points and a box say how: a point with label 1 adds what is
            missing, a point with label 0 removes what is too much.

    Raises:
        OvsegError: `invalid_prompt`; its `field` is the wrong field.
    """

    box: Box | None = None
    points: tuple[Point, ...] = ()
    labels: tuple[int, ...] = ()
    mask: MaskPrompt | None = None

    def __post_init__(self) -> None:
        if self.box is None and not self.points and self.mask is None:
            raise _invalid("give a box, or points with labels, or a mask, or several of these")
        if len(self.points) != len(self.labels):
            raise _invalid(f"{len(self.points)} points but {len(self.labels)} labels; each point needs one", "labels")
        if any(label not in (0, 1) for label in self.labels):
            raise _invalid("a label is 1 (on the object) or 0 (not on the object)", "labels")
        if self.box is None and self.mask is None and 1 not in self.labels:
            raise _invalid("without a box at least one point needs label 1 (on the object)", "labels")
        if not all(math.isfinite(v) for xy in self.points for v in xy):
            raise _invalid("coordinates must be finite numbers", "points")
        if self.box is not None:
            _check_box(self.box)

    @classmethod
    def of(
        cls,
        box: Sequence[float] | None = None,
        points: Sequence[Sequence[float]] = (),
        labels: Sequence[int] | None = None,
        mask: MaskPrompt | Mask | Mapping[str, Any] | np.ndarray | None = None,
    ) -> Prompt:
        """Return a prompt from rows of numbers.

        Args:
            box: [x0, y0, x1, y1] in pixels.
            points: each [x, y] in pixels.
            labels: one for each point, see the class. Without labels every point lies on the object.
            mask: an earlier answer of a segmenter, or a mask in another form of `MaskPrompt.of`.

        Raises:
            OvsegError: `invalid_prompt`, also for a row of a wrong length; its `field` is the wrong field.
        """
        pairs = [_row(point, 2, "a point is two numbers, [x, y]", f"points[{i}]") for i, point in enumerate(points)]
        return cls(
            None if box is None else _row(box, 4, "a box is four numbers, [x0, y0, x1, y1]", "box"),
            tuple(pairs),
            tuple(labels) if labels is not None else (1,) * len(pairs),
            None if mask is None else MaskPrompt.of(mask),
        )

    @classmethod
    def of_box(cls, x0: float, y0: float, x1: float, y1: float) -> Prompt:
        """Return a prompt for the object in a box, in pixels. Raises as `Prompt`."""
        return cls(box=(x0, y0, x1, y1))

    @classmethod
    def of_point(cls, x: float, y: float) -> Prompt:
        """Return a prompt for the object under a point, in pixels. Raises as `Prompt`."""
        return cls(points=((x, y),), labels=(1,))

    @property
    def kind(self) -> str:
        """One of `KINDS`: "box", "point" (one), "points" (several), "mixed" (a box with points), or "mask", which may
        have a box and points too."""
        if self.mask is not None:
            return "mask"
        if self.box is not None:
            return "mixed" if self.points else "box"
        return "point" if len(self.points) == 1 else "points"

    def to_dict(self) -> dict[str, Any]:
        """Return the prompt in the API's JSON: those of `box`, `points`, `labels` and `mask` that it has."""
        given: dict[str, Any] = {}
        if self.box is not None:
            given["box"] = list(self.box)
        if self.points:
            given["points"] = [list(point) for point in self.points]
            given["labels"] = list(self.labels)
        if self.mask is not None:
            given["mask"] = self.mask.to_dict()
        return given

    def within(self, image_hw: tuple[int, int]) -> Prompt:
        """Check the prompt against the size of an image, and return it with its box clipped to the image.

        Args:
            image_hw: height and width of the image in pixels.

        Raises:
            OvsegError: `box_outside_image` if the whole box is outside; `point_outside_image` if a point is. A point is
                not moved into the image, because there it could select another object. `mask_size_mismatch` if the mask
                is for an image of another size.
        """
        height, width = image_hw
        if self.mask is not None:
            self.mask.check_size(image_hw)
        for i, (x, y) in enumerate(self.points):
            if not (0 <= x <= width and 0 <= y <= height):
                message = f"({x:g}, {y:g}) lies outside the image of {width} x {height} pixels"
                raise OvsegError("point_outside_image", message, f"points[{i}]")
        if self.box is None:
            return self
        x0, y0, x1, y1 = self.box
        clipped = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
        if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            message = f"({x0:g}, {y0:g}, {x1:g}, {y1:g}) lies outside the image of {width} x {height} pixels"
            raise OvsegError("box_outside_image", message, "box")
        return replace(self, box=clipped)


def check_within(prompts: Sequence[Prompt], image_hw: tuple[int, int], field: str = "prompts") -> None:
    """Raise OvsegError if a prompt lies outside the image, as `Prompt.within` does. Its field is `field[i].box`.

    This is an early check, before an image is encoded or a job is queued. The segmenter clips the boxes later.
    """
    for i, prompt in enumerate(prompts):
        try:
            prompt.within(image_hw)
        except OvsegError as error:
            raise error.at(f"{field}[{i}].{error.field}") from None


def _check_box(box: Box) -> None:
    if not all(math.isfinite(v) for v in box):
        raise _invalid("coordinates must be finite numbers", "box")
    x0, y0, x1, y1 = box
    if x1 <= x0:
        raise _invalid(f"x1 ({x1:g}) must be greater than x0 ({x0:g}); a box is [x0, y0, x1, y1]", "box")
    if y1 <= y0:
        raise _invalid(f"y1 ({y1:g}) must be greater than y0 ({y0:g}); a box is [x0, y0, x1, y1]", "box")


def _row(numbers: Sequence[float], length: int, rule: str, field: str) -> Any:
    if len(numbers) != length:
        raise _invalid(f"{rule}; got {len(numbers)}", field)
    return tuple(numbers)


def _invalid(message: str, field: str | None = None) -> OvsegError:
    return OvsegError("invalid_prompt", message, field)

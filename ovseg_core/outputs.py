"""The outputs of a job: a table with a row for each list in the result's JSON and for each kind of file.

This module loads no NumPy, because the gateway reads names and content types from it. A row names its maker as
"module:function"; the maker is imported when it is first called. To add an output, add its row and its maker. A row
must stay while the record of a job may name it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ovseg_core import longest_sides

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.answer import Answer
    from ovseg_core.mask import Mask
    from ovseg_core.prompts import Prompt


@dataclass(frozen=True)
class Segmentation:
    """An image, and the answers to a request: any number of masks.

    Attributes:
        image_hw: height and width of the image in pixels.
        picture: reads the image when it is called: (H, W, 3) uint8 RGB.
        answers: the masks with their prompts, in the order of the result.
        prompts: the prompts that the overlay marks; none in everything mode, whose grid would cover the image.
        names: for each prompt the name that the overlay shows, or None; None if no prompt has one.
        dropped: number of masks that were found and are not among the answers, because of a limit.
    """

    image_hw: tuple[int, int]
    picture: Callable[[], np.ndarray]
    answers: Sequence[Answer]
    prompts: Sequence[Prompt]
    dropped: int = 0
    names: Sequence[str | None] | None = None


@dataclass(frozen=True)
class Detection:
    """An image, and the boxes that a detector found in it, without masks.

    Attributes:
        image_hw: height and width of the image in pixels.
        picture: reads the image when it is called: (H, W, 3) uint8 RGB.
        objects: for each box PaddleX's `coordinate` [x0, y0, x1, y1] in pixels, `label` and `score`.
        answers: none.
    """

    image_hw: tuple[int, int]
    picture: Callable[[], np.ndarray]
    objects: Sequence[Mapping[str, Any]]
    answers: Sequence[Answer] = ()


Drawing = Segmentation | Detection  # what the files of a result show


@dataclass(frozen=True)
class Entry:
    """A list in the result's JSON, with a value for each mask. Its maker takes a Mask, and options by name."""

    name: str  # in a job's `outputs`
    key: str  # in the result
    maker: str

    def make(self, mask: Mask, **options: Any) -> Any:
        """Return the mask's value for JSON."""
        return pkgutil.resolve_name(self.maker)(mask, **options)


@dataclass(frozen=True)
class File:
    """A file for the whole image (its maker takes a Drawing), or a file for each mask (its maker takes a Mask)."""

    name: str  # in a job's `outputs`
    shown_as: str  # in `files` of the job object; a later row replaces an earlier one of the same name
    path: str  # below the folder of the result; {} stands for the mask's index
    content_type: str
    maker: str
    is_per_mask: bool = False
    min_side: int = 0  # pixels: a smaller image has no such file

    def paths(self, mask_count: int) -> list[str]:
        return [self.path.format(i) for i in range(mask_count)] if self.is_per_mask else [self.path]

    def makers(self, drawing: Drawing) -> list[Callable[[], bytes]]:
        """Return a function for each of `paths` that makes the file."""
        subjects = [answer.mask for answer in drawing.answers] if self.is_per_mask else [drawing]
        return [partial(self._make, subject) for subject in subjects]

    def _make(self, subject: object) -> bytes:
        made: bytes = pkgutil.resolve_name(self.maker)(subject)
        return made


MASK_PNG = File("png", "masks", "masks/{:04d}.png", "image/png", "ovseg_core.png_file:of_mask", is_per_mask=True)
# The overlay is scaled down if a side of the image is too long for JPEG: PaddleX's route answers a JPEG for any image.
OVERLAY_JPEG = File("overlay", "overlay", "overlay.jpg", "image/jpeg", "ovseg_core.overlay:jpeg")
# An image that is too long for JPEG also has its overlay as PNG, unscaled. The job object shows this one.
OVERLAY_PNG = File(
    "overlay", "overlay", "overlay.png", "image/png", "ovseg_core.overlay:png", min_side=longest_sides.JPEG + 1
)

OUTPUTS: tuple[Entry | File, ...] = (
    Entry("rle", "masks", "ovseg_core.paddlex.serving_result:rle"),
    MASK_PNG,
    Entry("polygons", "polygons", "ovseg_core.polygons:of"),
    OVERLAY_JPEG,
    OVERLAY_PNG,
)


def names() -> tuple[str, ...]:
    """Return the names that `outputs` of a job can contain."""
    return tuple(dict.fromkeys(output.name for output in OUTPUTS))


def entries(wanted: Collection[str]) -> list[Entry]:
    return [output for output in OUTPUTS if isinstance(output, Entry) and output.name in wanted]


def files(wanted: Collection[str], image_hw: tuple[int, int]) -> list[File]:
    """Return the rows of the files that a job with these outputs has.

    Files of the whole image come first, because they take longest. `image_hw` is (0, 0) if the size is unknown.
    """
    found = [output for output in OUTPUTS if isinstance(output, File) and output.name in wanted]
    return sorted((file for file in found if max(image_hw) >= file.min_side), key=lambda file: file.is_per_mask)

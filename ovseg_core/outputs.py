"""What a result can be written as: a row for each list in its JSON and for each kind of file.

Nothing here loads NumPy, because the gateway reads names and content types. A row names its maker as "module:function",
and the maker is imported when it is first called. To add an output, add its row and its maker. A row that a stored job
may have asked for has to stay.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ovseg_core import longest_sides

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.mask import Mask
    from ovseg_core.prompts import Prompt


@dataclass(frozen=True)
class Segmentation:
    """An image, its prompts, and the mask that answers each of them."""

    image_hw: tuple[int, int]
    picture: Callable[[], np.ndarray]  # reads the image when it is called: (H, W, 3) uint8 RGB
    masks: Sequence[Mask]
    prompts: Sequence[Prompt]


@dataclass(frozen=True)
class Entry:
    """A list in the result's JSON, with a value for each mask. Its maker takes a Mask."""

    name: str  # in a job's `outputs`
    key: str  # in the result
    maker: str

    def make(self, mask: Mask) -> Any:
        """What JSON can hold."""
        return pkgutil.resolve_name(self.maker)(mask)


@dataclass(frozen=True)
class File:
    """A file of the whole image, or one of each mask. Its maker takes a Segmentation, or a Mask."""

    name: str  # in a job's `outputs`
    shown_as: str  # in `files` of the job object; there a later row replaces an earlier one
    path: str  # below the folder of the result; {} stands for the mask's index
    content_type: str
    maker: str
    is_per_mask: bool = False
    min_side: int = 0  # pixels: a smaller image has no such file

    def paths(self, mask_count: int) -> list[str]:
        return [self.path.format(i) for i in range(mask_count)] if self.is_per_mask else [self.path]

    def makers(self, segmentation: Segmentation) -> list[Callable[[], bytes]]:
        """One for each of `paths`: a call makes the file."""
        subjects: Sequence[object] = segmentation.masks if self.is_per_mask else [segmentation]
        return [partial(self._make, subject) for subject in subjects]

    def _make(self, subject: object) -> bytes:
        made: bytes = pkgutil.resolve_name(self.maker)(subject)
        return made


MASK_PNG = File("png", "masks", "masks/{:04d}.png", "image/png", "ovseg_core.png_file:of_mask", is_per_mask=True)
# Scaled down if the image has a side that is too long for JPEG: PaddleX's route answers with a JPEG of any image.
OVERLAY_JPEG = File("overlay", "overlay", "overlay.jpg", "image/jpeg", "ovseg_core.overlay:jpeg")
# Such an image has its overlay here as well, never scaled: this is what the job object shows.
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
    """What a job can ask for in `outputs`."""
    return tuple(dict.fromkeys(output.name for output in OUTPUTS))


def entries(wanted: Collection[str]) -> list[Entry]:
    return [output for output in OUTPUTS if isinstance(output, Entry) and output.name in wanted]


def files(wanted: Collection[str], image_hw: tuple[int, int]) -> list[File]:
    """The rows of files that a job has which asks for these names; those of the whole image, which take longest, first.

    Without a known size `image_hw` is (0, 0).
    """
    found = [output for output in OUTPUTS if isinstance(output, File) and output.name in wanted]
    return sorted((file for file in found if max(image_hw) >= file.min_side), key=lambda file: file.is_per_mask)

"""A mask as a prompt, in COCO's compressed RLE. The gateway checks it too, so this module imports no NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ovseg_core.errors import OvsegError

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.mask import Mask

FORM = "a mask is {'rle': {'size': [height, width], 'counts': '...'}}, in COCO's compressed RLE"
MAX_PIXELS = 2**32 - 1  # pycocotools stores the length of a run in 32 bits
MAX_RUN_CHARACTERS = 7  # of 5 bits each: the difference of two runs needs a sign and 32 bits


@dataclass(frozen=True)
class MaskPrompt:
    """A mask that is a prompt, for example an earlier answer that is to be refined. Every MaskPrompt is well formed.

    Args:
        image_hw: height and width of the image in pixels.
        counts: COCO's compressed RLE of the mask for the whole image: `counts` in https://cocodataset.org/#format-data.

    Raises:
        OvsegError: `invalid_prompt`; its `field` is the wrong field. The mask is malformed, or it has no pixel.
    """

    image_hw: tuple[int, int]
    counts: str

    def __post_init__(self) -> None:
        if len(self.image_hw) != 2 or not all(_is_side(side) for side in self.image_hw):
            raise _invalid("the size of a mask is [height, width] in pixels", "mask.rle.size")
        height, width = self.image_hw
        if height * width > MAX_PIXELS:
            raise _invalid(f"a mask has at most {MAX_PIXELS:,} pixels", "mask.rle.size")
        total, area = 0, 0
        for i, run in enumerate(_runs(self.counts)):
            total += run
            area += run * (i % 2)
        if total != height * width:
            message = f"the runs have {total:,} pixels, and {height} x {width} (height x width) are {height * width:,}"
            raise _invalid(message, "mask.rle.counts")
        if not area:
            raise _invalid("the mask is empty: no pixel is on the object", "mask")

    @classmethod
    def of(cls, given: MaskPrompt | Mask | Mapping[str, Any] | np.ndarray) -> MaskPrompt:
        """Return the prompt for a mask in any form.

        Args:
            given: a `Mask`, such as an earlier answer; an array (H, W) of bool or integers, not 0 on the object; or
                COCO's {"size": [height, width], "counts": "..."}, also inside {"rle": ...} as in the API's JSON.

        Raises:
            OvsegError: `invalid_prompt`; its `field` is the wrong field.
        """
        if isinstance(given, MaskPrompt):
            return given
        if isinstance(given, Mapping):
            return cls._of_json(given)
        image_hw, counts = getattr(given, "image_hw", None), getattr(given, "counts", None)
        return cls._of_array(given) if image_hw is None or counts is None else cls(image_hw, counts)

    @classmethod
    def _of_json(cls, given: Mapping[str, Any]) -> MaskPrompt:
        rle = given["rle"] if set(given) == {"rle"} else given
        if not isinstance(rle, Mapping) or set(rle) != {"size", "counts"}:
            raise _invalid(FORM, "mask")
        size, counts = rle["size"], rle["counts"]
        if not isinstance(size, list | tuple):
            raise _invalid("the size of a mask is [height, width] in pixels", "mask.rle.size")
        if isinstance(counts, bytes):  # as pycocotools returns them
            counts = counts.decode("ascii", errors="replace")
        if not isinstance(counts, str):
            message = "counts must be a string; pycocotools.mask.frPyObjects compresses a list of them"
            raise _invalid(message, "mask.rle.counts")
        return cls(tuple(size), counts)

    @classmethod
    def _of_array(cls, given: Any) -> MaskPrompt:
        import numpy as np

        from ovseg_core.mask import Mask

        array = np.asarray(given)
        if array.ndim != 2 or array.dtype.kind not in "bui":
            message = f"a mask is an array (H, W) of bool or integers, not {array.shape} {array.dtype}"
            raise _invalid(message, "mask")
        height, width = array.shape
        return cls((height, width), Mask.of_crop(array != 0, (0, 0), (height, width), None).counts)

    def to_dict(self) -> dict[str, Any]:
        """Return the mask in the API's JSON."""
        return {"rle": {"size": list(self.image_hw), "counts": self.counts}}

    def check_size(self, image_hw: tuple[int, int]) -> None:
        """Raise OvsegError `mask_size_mismatch` if the image has another size: (height, width) in pixels."""
        if self.image_hw != image_hw:
            (height, width), (image_height, image_width) = self.image_hw, image_hw
            message = f"the mask is for an image of {width} x {height} pixels, and this one has "
            raise OvsegError("mask_size_mismatch", f"{message}{image_width} x {image_height}", "mask")


def _runs(counts: str) -> list[int]:
    """Return the lengths of the runs, in turn outside and inside the mask.

    A character has 5 bits of a number, the lowest bits first, and a bit that is 1 if another character follows. From
    the fourth run on, the number is the difference to the run before the previous one.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts.encode("utf-8", errors="surrogatepass"):
        bits = character - 48
        if not 0 <= bits < 64 or shift == 5 * MAX_RUN_CHARACTERS:
            raise _invalid("it is not COCO's compressed RLE", "mask.rle.counts")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        run = (value - (1 << shift) if bits & 16 else value) + (runs[-2] if len(runs) > 2 else 0)
        if run < 0:
            raise _invalid("it is not COCO's compressed RLE: a run is negative", "mask.rle.counts")
        runs.append(run)
        value = shift = 0
    if shift:
        raise _invalid("it is not COCO's compressed RLE: its end is missing", "mask.rle.counts")
    return runs


def _is_side(side: object) -> bool:
    return isinstance(side, int) and not isinstance(side, bool) and side > 0


def _invalid(message: str, field: str) -> OvsegError:
    return OvsegError("invalid_prompt", message, field)

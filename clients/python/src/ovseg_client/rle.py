"""COCO's compressed RLE as arrays, with NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_DIGITS = 7  # a run of 35 bits: more than the pixels of any image


def decode(counts: str | bytes, height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask as an array (height, width) of bool.

    Args:
        counts: The text `counts` of COCO's format, as `pycocotools.mask.encode` returns it.
        height: Rows of the image.
        width: Columns of the image.

    Raises:
        ValueError: This is not the mask of such an image.
        ImportError: NumPy is not installed.
    """
    try:
        import numpy as np
    except ImportError:
        raise ImportError("masks as arrays need NumPy: pip install numpy") from None
    runs = _runs(counts.encode("ascii") if isinstance(counts, str) else counts)
    if (runs < 0).any() or int(runs.sum()) != height * width:
        raise ValueError(f"the RLE is not that of a mask of {width}x{height} pixels")
    values = np.arange(len(runs)) % 2 == 1  # runs of 0 and of 1 in turn, column by column
    return np.repeat(values, runs).reshape(width, height).T


def _runs(text: bytes) -> NDArray[np.int64]:
    """Return the lengths of the runs.

    Each number has digits of 5 bits, the lowest first, each in the character 48 + digit, plus 32 if another digit
    follows. Bit 16 of the last digit is the sign. From the fourth number on it is the difference to the number two
    before.
    """
    import numpy as np

    if not text:
        return np.zeros(0, np.int64)
    digits = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    is_last = (digits & 32) == 0
    if digits.min() < 0 or digits.max() > 63 or not is_last[-1]:
        raise ValueError("this is no compressed RLE of COCO's format")
    starts = np.concatenate(([0], np.flatnonzero(is_last)[:-1] + 1))
    lengths = np.diff(np.append(starts, len(digits)))
    if lengths.max() > MAX_DIGITS:
        raise ValueError("a run of this RLE is longer than an image can be")
    place = np.arange(len(digits)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((digits & 31) << (5 * place), starts)
    numbers -= np.where((digits[is_last] & 16) != 0, 1 << (5 * lengths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers

"""Converts prompts to plain lists and numbers, from lists, tuples, arrays and tensors in any nesting."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from ovseg_core.mask_prompt import MaskPrompt


def of(value: Any) -> Any:
    """Return a value with plain containers and numbers.

    Tuples, arrays and tensors (of NumPy, Paddle, torch and other libraries that NumPy can read) become lists, their
    scalars Python's numbers, and mappings dicts. Any other value is returned unchanged, for the caller to refuse. The
    mask of a prompt, if it is a `Mask` or an array, becomes COCO's RLE: a list of its pixels would be large.
    """
    if isinstance(value, Mapping):
        return {key: _mask(item) if key == "mask" else of(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [of(item) for item in value]
    if "bfloat16" in str(getattr(value, "dtype", "")) and hasattr(value, "astype"):
        value = value.astype("float32")  # Paddle's `tolist` would return the bits of a bfloat16, as integers
    if hasattr(value, "tolist"):
        found = value.tolist()
        if isinstance(found, list):  # an array of objects may contain arrays and tensors
            return of(found)
        # NumPy's longdouble returns itself. Its type is not named here: the gateway imports this and has no NumPy.
        return float(found) if isinstance(found, Real) and hasattr(found, "tolist") else found
    if hasattr(value, "__array__"):
        return value.__array__().tolist()
    return value


def _mask(given: Any) -> Any:
    return of(given) if given is None or isinstance(given, Mapping) else MaskPrompt.of(given).to_dict()


def numbers(value: Any, where: str) -> list[float]:
    """Check that a value returned by `of` is a list of numbers; return it. Raises ValueError, which names `where`."""
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list of numbers, not {shown(value)}")
    return [_number(item, f"{where}[{i}]") for i, item in enumerate(value)]


def rows(value: Any, where: str) -> list[Any]:
    """Check that a value returned by `of` is a list; return it. Raises ValueError, which names `where`."""
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list or an array, not {shown(value)}")
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{where} must be a number, not {shown(value)}")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{where} must be a number: {error}") from None


def shown(value: Any) -> str:
    """Return the value's `repr`, cut to 100 characters for a message."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."

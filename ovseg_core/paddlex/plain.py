"""Prompts as plain lists and numbers, whether they came as lists, tuples, arrays or tensors, in any nesting."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any


def of(value: Any) -> Any:
    """Makes lists of tuples, arrays and tensors (NumPy, Paddle, torch and others that NumPy can read), Python's numbers
    of their scalars, and dicts of mappings. Anything else comes back as it is, for the caller to refuse."""
    if isinstance(value, Mapping):
        return {key: of(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [of(one) for one in value]
    if "bfloat16" in str(getattr(value, "dtype", "")) and hasattr(value, "astype"):
        value = value.astype("float32")  # whose `tolist` in Paddle gives the bits, as integers
    if hasattr(value, "tolist"):
        found = value.tolist()
        if isinstance(found, list):  # an array of objects has any kind of them
            return of(found)
        # NumPy's longdouble gives itself. It is not named here: the gateway imports this, and has no NumPy.
        return float(found) if isinstance(found, Real) and hasattr(found, "tolist") else found
    if hasattr(value, "__array__"):
        return value.__array__().tolist()
    return value


def numbers(value: Any, where: str) -> list[float]:
    """A row of numbers, from what `of` returned. Raises ValueError, which names `where`."""
    if not isinstance(value, list):
        raise ValueError(f"{where} must be a list of numbers, not {shown(value)}")
    return [_number(one, f"{where}[{i}]") for i, one in enumerate(value)]


def rows(value: Any, where: str) -> list[Any]:
    """A list, from what `of` returned. Raises ValueError, which names `where`."""
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
    """As Python writes it, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."

"""Read PaddlePaddle's state dicts (`.pdparams`, paddle.save) without running code that a pickle names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy._core import multiarray

from ovseg_core.checkpoints.unpickling import Unpickler

ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): multiarray._reconstruct,
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # how pickle protocol 2 writes bytes
}


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays by their structured names.

    Raises ValueError if the file is not a state dict, or names anything other than arrays.
    """
    with path.open("rb") as file:
        loaded = Unpickler(file, ALLOWED).load()
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} contains a {type(loaded).__name__}, not a state dict")
    arrays = {}
    for name, value in loaded.items():
        array = value[1] if isinstance(value, tuple) and len(value) == 2 else value  # (name in the program, array)
        if isinstance(array, np.ndarray) and isinstance(name, str):
            arrays[name] = array
    return arrays

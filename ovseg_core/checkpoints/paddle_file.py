"""PaddlePaddle's state dicts (`.pdparams`, paddle.save) without running what a pickle may ask for."""

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
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # protocol 2's way to write bytes
}


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays by their structured names. Raises ValueError for a file that is no state dict, or names more."""
    with path.open("rb") as file:
        loaded = Unpickler(file, ALLOWED).load()
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} holds a {type(loaded).__name__}, not a state dict")
    arrays = {}
    for name, value in loaded.items():
        array = value[1] if isinstance(value, tuple) and len(value) == 2 else value  # (name in the program, array)
        if isinstance(array, np.ndarray) and isinstance(name, str):
            arrays[name] = array
    return arrays

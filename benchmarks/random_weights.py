"""Weights drawn at random, for networks whose own are not installed: they are as fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.sam.parts import VARIANTS


def write(network: str, folder: Path) -> Path:
    """A checkpoint of this network in the folder.

    Biases and gains that begin as zeros and ones are drawn too: of those an engine would compute nothing.
    """
    parts = VARIANTS[network]()
    linear = checkpoints.linear_weights(parts)
    draw = np.random.default_rng(0)
    arrays = {}
    for name, value in parts.state_dict().items():
        array = value.numpy()
        if np.ptp(array) == 0:
            array = array + draw.normal(scale=0.02, size=array.shape).astype(array.dtype)
        arrays[name] = array.T.copy() if name in linear else array
    path = folder / "random.safetensors"
    save_file(arrays, path)
    return path

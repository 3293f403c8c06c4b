"""Weights drawn at random, for networks whose own are not installed: they are as fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.sam.parts import VARIANTS


def write(network: str, folder: Path) -> Path:
    """A checkpoint of this network in the folder."""
    parts = VARIANTS[network]()
    linear = checkpoints.linear_weights(parts)
    arrays = {}
    for name, value in parts.state_dict().items():
        array = drawn(value.numpy())
        arrays[name] = array.T.copy() if name in linear else array
    path = folder / "random.safetensors"
    save_file(arrays, path)
    return path


def drawn(array: np.ndarray) -> np.ndarray:
    """A parameter as it was initialised; gains of ones and biases of zeros, of which an engine would compute nothing,
    with a little noise."""
    if np.ptp(array):
        return array
    noise = np.random.default_rng(0).normal(scale=0.02, size=array.shape)
    noisy: np.ndarray = array + noise.astype(array.dtype)
    return noisy

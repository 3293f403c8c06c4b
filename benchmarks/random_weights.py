"""Random weights, for networks whose own weights are not installed. They are as fast."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.networks import NETWORKS


def write(network: str, folder: Path) -> Path:
    """Write a checkpoint of this network with random weights to the folder.

    The family's `parts.VARIANTS` makes the layers.
    """
    module = NETWORKS[network].load.__module__.replace(".family", ".parts")
    parts = import_module(module).VARIANTS[network]()
    linear = checkpoints.linear_weights(parts)
    arrays = {}
    for name, value in parts.state_dict().items():
        array = drawn(value.numpy())
        arrays[name] = array.T.copy() if name in linear else array
    path = folder / "random.safetensors"
    save_file(arrays, path)
    return path


def drawn(array: np.ndarray) -> np.ndarray:
    """Return a parameter as initialised, or with a little noise if all its numbers are equal.

    An engine could leave out gains of ones and biases of zeros.
    """
    if np.ptp(array):
        return array
    noise = np.random.default_rng(0).normal(scale=0.02, size=array.shape)
    noisy: np.ndarray = array + noise.astype(array.dtype)
    return noisy

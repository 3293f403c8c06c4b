"""Weights drawn at random, for networks whose own are not installed: they are as fast."""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.sam.parts import VARIANTS


def write(network: str, folder: Path) -> Path:
    """A checkpoint of this network in the folder."""
    parts = VARIANTS[network]()
    linear = checkpoints.linear_weights(parts)
    arrays = {n: v.numpy().T.copy() if n in linear else v.numpy() for n, v in parts.state_dict().items()}
    path = folder / "random.safetensors"
    save_file(arrays, path)
    return path

"""A checkpoint's arrays into a network, strictly: every parameter is there, in its shape, or it is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from ovseg_core.quiet_paddle import paddle


def load_safetensors(network: paddle.nn.Layer, path: Path) -> None:
    """Fill `network` from a safetensors file whose names and layouts are PyTorch's, as SAM's public files are.

    Raises ValueError that names the first missing, unknown or misshapen parameters.
    """
    arrays = load_file(path)
    for name in transposed(network) & arrays.keys():
        arrays[name] = arrays[name].T

    expected = network.state_dict()
    problems = [f"missing {name}" for name in expected.keys() - arrays.keys()]
    problems += [f"unknown {name}" for name in arrays.keys() - expected.keys()]
    problems += [
        f"{name} is {arrays[name].shape}, the network wants {tuple(expected[name].shape)}"
        for name in expected.keys() & arrays.keys()
        if arrays[name].shape != tuple(expected[name].shape)
    ]
    if problems:
        raise ValueError(f"{path.name} does not fit {type(network).__name__}: {'; '.join(sorted(problems)[:5])}")
    network.set_state_dict({name: paddle.to_tensor(array.astype(np.float32)) for name, array in arrays.items()})


def transposed(network: paddle.nn.Layer) -> set[str]:
    """The parameters that PyTorch keeps as (out, in) and Paddle as (in, out)."""
    return {f"{name}.weight" for name, layer in network.named_sublayers() if isinstance(layer, paddle.nn.Linear)}

"""Checkpoints in everyone's formats into a network, strictly: every parameter is there and fits, or it is an error."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file

from ovseg_core.checkpoints import paddle_file, torch_file

if TYPE_CHECKING:
    from ovseg_core.quiet_paddle import paddle

BATCH_NORM_COUNTER = ".num_batches_tracked"  # the end of its name; PyTorch's, which no network needs


@dataclass(frozen=True)
class Checkpoint:
    """Arrays by their names in the file. The weight of a linear layer is (out, in) as PyTorch keeps it, or (in, out) as
    Paddle."""

    name: str
    arrays: dict[str, np.ndarray]
    linear_is_in_out: bool


def read(path: Path) -> Checkpoint:
    """safetensors, PyTorch's `.pth` and `.pt`, Paddle's `.pdparams`.

    No code that a pickle names is run. Raises FileNotFoundError, and ValueError for a file of another kind.
    """
    is_paddle = False
    if path.suffix == ".safetensors":
        arrays = load_file(path)
    elif zipfile.is_zipfile(path):
        arrays = torch_file.read(path)
    else:
        arrays, is_paddle = paddle_file.read(path), True
    kept = {name: array for name, array in arrays.items() if not name.endswith(BATCH_NORM_COUNTER)}
    return Checkpoint(path.name, kept, is_paddle)


def load(network: paddle.nn.Layer, path: Path) -> None:
    """Fill a network from a file. Raises as `read`, and ValueError as `fill`."""
    fill(network, read(path))


def fill(network: paddle.nn.Layer, checkpoint: Checkpoint) -> None:
    """Fill a network. Raises ValueError that names the first missing, unknown or misshapen parameters."""
    from ovseg_core.quiet_paddle import paddle

    turned = set() if checkpoint.linear_is_in_out else linear_weights(network)
    found = {key: array.T if key in turned else array for key, array in checkpoint.arrays.items()}
    expected = network.state_dict()
    problems = [f"missing {key}" for key in expected.keys() - found.keys()]
    problems += [f"unknown {key}" for key in found.keys() - expected.keys()]
    problems += [
        f"{key} is {found[key].shape}, the network wants {tuple(expected[key].shape)}"
        for key in expected.keys() & found.keys()
        if found[key].shape != tuple(expected[key].shape)
    ]
    if problems:
        reasons = "; ".join(sorted(problems)[:5])
        raise ValueError(f"{checkpoint.name} does not fit {type(network).__name__}: {reasons}")
    network.set_state_dict({key: paddle.to_tensor(array.astype(np.float32)) for key, array in found.items()})


def linear_weights(network: paddle.nn.Layer) -> set[str]:
    """The weights of the network's linear layers, which Paddle keeps the other way round than PyTorch."""
    from ovseg_core.quiet_paddle import paddle

    layers = network.named_sublayers()
    return {f"{name}.weight" for name, layer in layers if isinstance(layer, paddle.nn.Linear)}

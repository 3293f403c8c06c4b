"""Load a checkpoint of any supported format into a network. A missing, unknown or misshapen parameter is an error."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file

from ovseg_core.checkpoints import paddle_file, torch_file

if TYPE_CHECKING:
    from ovseg_core.quiet_paddle import paddle

BATCH_NORM_COUNTER = ".num_batches_tracked"  # the suffix of PyTorch's counters, which no network needs


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's arrays by their names in the file.

    `linear_is_in_out` is True if the weights of linear layers have the shape (in, out), as in Paddle, and False if they
    have (out, in), as in PyTorch.
    """

    name: str
    arrays: dict[str, np.ndarray]
    linear_is_in_out: bool


def read(path: Path) -> Checkpoint:
    """Read a checkpoint: safetensors, PyTorch's `.pth` and `.pt`, or Paddle's `.pdparams`.

    No code that a pickle names is run. Raises FileNotFoundError, and ValueError for a file of another kind or a damaged
    one.
    """
    try:
        arrays, is_paddle = _arrays(path)
    except (ValueError, OSError):
        raise
    except Exception as error:  # pickle raises nearly any kind for damaged data, and safetensors its own
        raise ValueError(f"{path.name} is damaged, or is no checkpoint: {error}") from error
    kept = {name: array for name, array in arrays.items() if not name.endswith(BATCH_NORM_COUNTER)}
    return Checkpoint(path.name, kept, is_paddle)


def _arrays(path: Path) -> tuple[dict[str, np.ndarray], bool]:
    """Return the arrays, and whether the weights of linear layers are (in, out)."""
    if path.suffix == ".safetensors":
        return load_file(path), False
    if zipfile.is_zipfile(path):
        return torch_file.read(path), False
    return paddle_file.read(path), True


def load(network: paddle.nn.Layer, path: Path) -> None:
    """Fill a network from a file. Raises what `read` and `fill` raise."""
    fill(network, read(path))


def fill(network: paddle.nn.Layer, checkpoint: Checkpoint) -> None:
    """Fill a network. Raises ValueError as `fitted`."""
    from ovseg_core.quiet_paddle import paddle

    shapes = {name: tuple(parameter.shape) for name, parameter in network.state_dict().items()}
    arrays = fitted(checkpoint, type(network).__name__, shapes, linear_weights(network))
    network.set_state_dict({name: paddle.to_tensor(array) for name, array in arrays.items()})


def fitted(
    checkpoint: Checkpoint, network: str, shapes: Mapping[str, tuple[int, ...]], linear: AbstractSet[str]
) -> dict[str, np.ndarray]:
    """Return a checkpoint's arrays in float32, for a network whose parameters have these shapes.

    The weights of `linear` layers are returned as (in, out), as in Paddle. Raises ValueError, which names the network
    and up to five missing, unknown or misshapen parameters.
    """
    transposed = set() if checkpoint.linear_is_in_out else linear
    found = {name: array.T if name in transposed else array for name, array in checkpoint.arrays.items()}
    problems = [f"missing {name}" for name in shapes.keys() - found.keys()]
    problems += [f"unknown {name}" for name in found.keys() - shapes.keys()]
    problems += [
        f"{name} is {found[name].shape}, the network needs {shapes[name]}"
        for name in shapes.keys() & found.keys()
        if found[name].shape != shapes[name]
    ]
    if problems:
        reasons = "; ".join(sorted(problems)[:5])
        raise ValueError(f"{checkpoint.name} does not fit {network}: {reasons}")
    return {name: array.astype(np.float32) for name, array in found.items()}


def linear_weights(network: paddle.nn.Layer) -> set[str]:
    """Return the names of the weights of linear layers. Paddle stores them transposed, compared to PyTorch."""
    from ovseg_core.quiet_paddle import paddle

    layers = network.named_sublayers()
    return {f"{name}.weight" for name, layer in layers if isinstance(layer, paddle.nn.Linear)}

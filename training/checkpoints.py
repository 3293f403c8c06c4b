"""Checkpoints of a training: a whole one, from which it resumes exactly, and a small one that can be committed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def save(checkpoint: Path, parts: Mapping[str, Any], progress: Mapping[str, Any]) -> None:
    """Write the state of the parts, and how far they are. A crash leaves the old file or the new one."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()}
    torch.save({**state, "progress": dict(progress)}, checkpoint.with_suffix(".part"))
    checkpoint.with_suffix(".part").replace(checkpoint)


def restore(checkpoint: Path, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Restore the state of the parts. Return the progress that was given to `save`."""
    state = torch.load(checkpoint, weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    progress: dict[str, Any] = state["progress"]
    return progress


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """Return the averaged weights of a whole checkpoint."""
    state = torch.load(checkpoint, weights_only=True)["average"]
    return {name.removeprefix("module."): value for name, value in state.items() if name.startswith("module.")}


def shrink(checkpoint: Path, to: Path) -> None:
    """Write the averaged weights of a whole checkpoint in half precision, and its step: about 12 MB.

    The optimizer's state is left out. A training that starts with this file has to build it up again.
    """
    step = torch.load(checkpoint, weights_only=True)["progress"]["done"]
    half = {
        name: value.half() if value.ndim > 1 else value.clone() for name, value in averaged_weights(checkpoint).items()
    }
    save_file({name: value.contiguous() for name, value in half.items()}, to, metadata={"step": str(step)})


def load_small(net: torch.nn.Module, checkpoint: Path) -> int:
    """Load the weights of a file of `shrink`. Return its number of steps."""
    with safe_open(checkpoint, "pt") as file:
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118, it has no iterator
        return int(file.metadata()["step"])

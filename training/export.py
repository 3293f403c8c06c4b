"""Convert a checkpoint to what `ovseg_core` ships: averaged weights, folded batch normalisation, half precision."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.checkpoints import averaged_weights


def folded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Merge each convolution `X.0` and its norm `X.1` into a convolution `X`; other parameters stay."""
    arrays: dict[str, Tensor] = {}
    for name, value in state.items():
        layer = name.rsplit(".", 1)[0]
        if f"{layer}.running_mean" in state or (layer.endswith(".0") and f"{layer[:-2]}.1.running_mean" in state):
            continue  # part of a pair, merged below
        arrays[name] = value
    for name in state:
        if not name.endswith(".1.running_mean"):
            continue
        pair = name.removesuffix(".1.running_mean")
        gain, shift, mean, variance = (
            state[f"{pair}.1.{k}"] for k in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / torch.sqrt(variance + torch.nn.BatchNorm2d(1).eps)
        arrays[f"{pair}.weight"] = state[f"{pair}.0.weight"] * scale.view(-1, 1, 1, 1)
        arrays[f"{pair}.bias"] = shift - mean * scale
    return arrays


def rounded(value: Tensor) -> Tensor:
    """Round to numbers that both float16 and bfloat16 have, so that each precision computes with the same weights.

    The network is trained with weights in bfloat16, so finer ones are no better. When only bfloat16 rounded them, that
    changed the encoder's maps by a twentieth: the first depthwise kernels have weights up to 18 that nearly cancel out.
    """
    return value.bfloat16().half().contiguous()


def export(checkpoint: Path, to: Path) -> None:
    half = {name: rounded(value) for name, value in folded(averaged_weights(checkpoint)).items()}
    to.parent.mkdir(parents=True, exist_ok=True)
    save_file(half, to, metadata={"model": "SAM-Lite", "licence": "Apache-2.0"})

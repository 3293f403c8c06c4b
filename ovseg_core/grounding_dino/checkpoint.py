"""Read public checkpoints of Grounding DINO, MM-Grounding-DINO and LLMDet, with the parameter names of our layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ovseg_core import checkpoints
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.checkpoints.renaming import renamed
from ovseg_core.grounding_dino import hugging_face, idea
from ovseg_core.grounding_dino.shape import Shape

TEXT = "text_encoder."  # the prefix of the names of `parts.TextParts`
OF_LAYER = re.compile(r"decoder\.(boxes|contrast\.bias)\.(\d+).*")


def read(path: Path, shape: Shape) -> Checkpoint:
    """Read the weights from a file of Hugging Face `transformers`, IDEA or PaddleMIX.

    Raises what `checkpoints.read` raises.
    """
    found = checkpoints.read(path)
    if hugging_face.MARK in found.arrays:
        arrays = renamed(found.arrays, hugging_face.RULES)
    else:
        arrays = renamed(idea.split(found.arrays, found.linear_is_in_out), idea.RULES)
    return replace(found, arrays=_with_heads(arrays, shape))


def text(checkpoint: Checkpoint) -> Checkpoint:
    """Return the weights of `parts.TextParts`."""
    return replace(checkpoint, arrays={n: array for n, array in checkpoint.arrays.items() if n.startswith(TEXT)})


def image(checkpoint: Checkpoint) -> Checkpoint:
    """Return the weights of `parts.ImageParts`."""
    return replace(checkpoint, arrays={n: array for n, array in checkpoint.arrays.items() if not n.startswith(TEXT)})


def _with_heads(arrays: Mapping[str, np.ndarray], shape: Shape) -> dict[str, np.ndarray]:
    """Return the arrays with the decoder's heads that are used.

    Box heads that the layers share are stored once for each layer, or only for the first. Each layer has a bias of the
    scores, but only that of the last layer is used: the others are for training.
    """
    found = {}
    for name, array in arrays.items():
        match = OF_LAYER.fullmatch(name)
        if match is None or (match[1] == "boxes" and (shape.is_mm or match[2] == "0")):
            found[name] = array
        elif match[1] == "contrast.bias" and int(match[2]) == shape.depth - 1:
            found["decoder.contrast.bias"] = array.reshape(1)
    if "proposals.contrast.bias" in found:
        found["proposals.contrast.bias"] = found["proposals.contrast.bias"].reshape(1)
    return found

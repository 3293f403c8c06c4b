"""The small SAM of `sam_weights`, and small networks that are derived from SAM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.engines import in_paddle
from ovseg_core.engines.parts import Parts, Shape
from ovseg_core.sam.network import Sam
from ovseg_core.sam.parts import SamLayers, SamParts
from ovseg_core.sam.vit import VisionTransformer
from tests.support import sam_weights
from tests.support.sam_weights import CANVAS

Layers = TypeVar("Layers", bound=SamLayers)


class WithoutDecoder(SamParts):
    """For tests that do not decode. Each part that decodes takes some seconds to translate."""

    def shapes(self) -> dict[str, tuple[Shape, ...]]:
        return {part: shapes for part, shapes in super().shapes().items() if part in ("encode", "prompts")}


def load(folder: Path, *, on_cpu: bool = True, kind: type[SamParts] = SamParts) -> SamParts:
    """Return the layers of the small SAM, loaded from a file in `folder` with the names of Meta's checkpoints.

    `on_cpu` has the meaning that it has in `loading.LoadParts`.
    """
    return load_as(kind, folder, on_cpu=on_cpu)


def load_as(make: Callable[[VisionTransformer, int], Layers], folder: Path, *, on_cpu: bool = True) -> Layers:
    """Do `load` for a network that is derived from SAM: `make` returns it, for an image encoder and a canvas size."""
    encoder = VisionTransformer(
        sam_weights.CHANNELS, sam_weights.DEPTH, sam_weights.HEADS, sam_weights.WHOLE_GRID, CANVAS
    )
    if on_cpu:
        encoder.take_turns()
    network = make(encoder, CANVAS)
    network.eval()
    path = folder / "sam.safetensors"
    save_file(arrays(network), path)
    checkpoints.load(network, path)
    return network


def on(engine: str, parts: Parts, folder: Path, precision: str = "float32") -> Sam:
    """Return the network on an engine, OpenVINO's in this precision, from the file that `load` wrote to `folder`."""
    if engine == "paddle":
        return Sam(in_paddle.runners(parts), CANVAS)
    weights = folder / "sam.safetensors"
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")  # an optional extra
        from ovseg_core.engines import in_onnxruntime

        return Sam(in_onnxruntime.runners("small", weights, lambda: parts, "cpu", "float32"), CANVAS)
    pytest.importorskip("openvino")
    from ovseg_core.engines import in_openvino

    return Sam(in_openvino.runners("small", weights, lambda: parts, precision), CANVAS)


def arrays(network: SamLayers) -> dict[str, np.ndarray]:
    """Return random parameters by name, in PyTorch's layout."""
    linear = checkpoints.linear_weights(network)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    return {name: sam_weights.array(name, s[::-1] if name in linear else s) for name, s in shapes.items()}

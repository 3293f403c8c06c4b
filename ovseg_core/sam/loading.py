"""Load a SAM or a network derived from it: they differ in their layers and in the names of their checkpoints."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from ovseg_core import checkpoints
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.engines import runners
from ovseg_core.engines.parts import Parts
from ovseg_core.sam.network import Sam
from ovseg_core.sam.parts import SamLayers
from ovseg_core.sam.shape import CANVAS
from ovseg_core.sam.vit import VisionTransformer

Layers = TypeVar("Layers", bound=SamLayers)


class LoadParts(Protocol):
    """Loads a network's layers with their weights, on Paddle's current device.

    `precision` is that of the image encoder. With `on_cpu`, the layers compute the same in an order that is faster on a
    CPU. Raises ValueError if the weights do not fit the network.
    """

    def __call__(self, name: str, weights: Path, precision: str = ..., *, on_cpu: bool = ...) -> Parts: ...


def network(
    load_parts: LoadParts,
    name: str,
    weights: Path,
    device: str,
    engine: str,
    precision: str,
    kind: type[Sam] = Sam,
) -> Sam:
    """Return a network of this kind, ready for inference; see `networks.load`.

    In "bfloat16" and "float16" the image encoder runs in half precision, and in "int8" it is the one that
    `quantization` made: nearly all the work is in it. The prompt encoder and the mask decoder stay in float32. On a CPU
    in "bfloat16", the mask decoder runs in bfloat16 too, and only the part that encodes points stays in float32.
    """
    on_cpu = device == "cpu"
    parts = partial(load_parts, name, weights, on_cpu=on_cpu)
    translation = name if on_cpu else f"{name}-gpu"  # its operations are in another order
    return kind(runners.on(engine, translation, weights, parts, device, precision), CANVAS)


def filled(layers: Layers, checkpoint: Checkpoint, precision: str, on_cpu: bool) -> Layers:
    """Return the layers with their weights; see `LoadParts`."""
    layers.eval()
    checkpoints.fill(layers, checkpoint)
    if on_cpu and isinstance(layers.image_encoder, VisionTransformer):
        layers.image_encoder.take_turns()
    layers.image_encoder.to(dtype=precision)
    return layers

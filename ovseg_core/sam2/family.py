"""The rows of SAM 2.1."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import array_shapes
from ovseg_core.array_shapes import Shapes
from ovseg_core.family import Family
from ovseg_core.sam.family import PRESET, quantization

if TYPE_CHECKING:
    from ovseg_core.network import Network
    from ovseg_core.sam2.parts import Sam2Parts


# The arrays that show the size, with Meta's names and those of Hugging Face
HIERA = r"(?:image_encoder\.trunk\.patch_embed\.proj|vision_encoder\.backbone\.patch_embed\.projection)\.weight"
HIERA_BLOCKS = r"(?:image_encoder\.trunk|vision_encoder\.backbone)\.blocks\.(\d+)\..+"
SIZES = {(96, 12): "t", (96, 16): "s", (112, 24): "b+", (144, 48): "l"}  # by channels and blocks


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load a SAM 2; see `networks.load` and `sam.loading.network`."""
    from ovseg_core.sam import loading
    from ovseg_core.sam2.network import Sam2

    return loading.network(load_parts, name, weights, device, engine, precision, Sam2)


def load_parts(name: str, weights: Path, precision: str = "float32", *, on_cpu: bool = False) -> Sam2Parts:
    """Load a SAM 2's layers with their weights; see `sam.loading.LoadParts`."""
    from ovseg_core.sam import loading
    from ovseg_core.sam2 import checkpoint
    from ovseg_core.sam2.parts import VARIANTS

    parts = VARIANTS[name]()
    if on_cpu:
        parts.image_encoder.trunk.take_turns()
    return loading.filled(parts, checkpoint.read(weights), precision, on_cpu)


def network_of(shapes: Shapes) -> str | None:
    """Recognise a SAM 2.1; see `Family`."""
    size = SIZES.get((array_shapes.first_side(HIERA, shapes), array_shapes.count(HIERA_BLOCKS, shapes)))
    return f"sam2_{size}" if size else None


SAM2 = Family(
    replace(PRESET, resize="stretch"),
    load,
    engines=("openvino", "onnxruntime", "paddle"),
    half_precisions={"onnxruntime": ("float16",), "paddle": ("bfloat16", "float16")},
    quantization=quantization(load_parts, is_transformer=True),
    network_of=network_of,
)
NETWORKS = dict.fromkeys(("sam2_t", "sam2_s", "sam2_b+", "sam2_l"), SAM2)  # `parts.VARIANTS` makes their layers

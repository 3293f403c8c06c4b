"""The rows of SAM-HQ: SAM in three sizes, and the light one, whose image encoder is MobileSAM's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import array_shapes
from ovseg_core.array_shapes import Shapes
from ovseg_core.family import Family
from ovseg_core.sam.family import HQ, PRESET, SIZES, TINY_VIT, VIT, quantization

if TYPE_CHECKING:
    from ovseg_core.network import Network
    from ovseg_core.sam_hq.parts import SamHqParts


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load a SAM-HQ; see `networks.load` and `loading.network`."""
    from ovseg_core.sam import loading

    return loading.network(load_parts, name, weights, device, engine, precision)


def load_parts(name: str, weights: Path, precision: str = "float32", *, on_cpu: bool = False) -> SamHqParts:
    """Load a SAM-HQ's layers with their weights; see `loading.LoadParts`."""
    from ovseg_core.sam import checkpoint, loading
    from ovseg_core.sam_hq import hugging_face
    from ovseg_core.sam_hq.parts import VARIANTS

    return loading.filled(VARIANTS[name](), checkpoint.read(weights, hugging_face.RULES), precision, on_cpu)


def network_of(shapes: Shapes) -> str | None:
    """Recognise a SAM-HQ; see `Family`."""
    if not array_shapes.first_side(HQ, shapes):
        return None
    if array_shapes.first_side(TINY_VIT, shapes):
        return "sam_hq_light"
    size = SIZES.get(array_shapes.first_side(VIT, shapes))
    return f"sam_hq_{size}" if size else None


LIGHT = Family(
    PRESET,
    load,
    engines=("openvino", "onnxruntime", "paddle"),
    half_precisions={"onnxruntime": ("float16",), "paddle": ("bfloat16", "float16")},
    quantization=quantization(load_parts),
    network_of=network_of,
)
SAM_HQ = replace(LIGHT, quantization=quantization(load_parts, is_transformer=True))
# `parts.VARIANTS` makes their layers.
NETWORKS = {"sam_hq_light": LIGHT, "sam_hq_b": SAM_HQ, "sam_hq_l": SAM_HQ, "sam_hq_h": SAM_HQ}

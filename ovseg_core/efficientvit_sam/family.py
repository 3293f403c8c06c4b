"""The rows of EfficientViT-SAM: L in three sizes, whose inputs are small, and XL in two sizes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import array_shapes
from ovseg_core.array_shapes import Shapes
from ovseg_core.efficientvit_sam.shape import SMALL_INPUT
from ovseg_core.family import Family
from ovseg_core.sam.family import PRESET, quantization

if TYPE_CHECKING:
    from ovseg_core.network import Network
    from ovseg_core.sam.parts import SamParts


NECK_BLOCKS = r"image_encoder\.neck\.middle\.op_list\.(\d+)\..+"
STAGES = r"image_encoder\.backbone\.stages\.(\d+)\..+"
SIZES = {4: "l0", 8: "l1", 6: "xl0"}  # by blocks of the neck
SIZES_OF_12 = {5: "l2", 6: "xl1"}  # by stages, if the neck has 12 blocks


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load an EfficientViT-SAM; see `networks.load` and `loading.network`."""
    from ovseg_core.sam import loading

    return loading.network(load_parts, name, weights, device, engine, precision)


def load_parts(name: str, weights: Path, precision: str = "float32", *, on_cpu: bool = False) -> SamParts:
    """Load an EfficientViT-SAM's layers with their weights; see `loading.LoadParts`."""
    from ovseg_core.efficientvit_sam.parts import VARIANTS
    from ovseg_core.sam import checkpoint, loading

    return loading.filled(VARIANTS[name](), checkpoint.read(weights), precision, on_cpu)


def network_of(shapes: Shapes) -> str | None:
    """Recognise an EfficientViT-SAM; see `Family`."""
    blocks = array_shapes.count(NECK_BLOCKS, shapes)
    size = SIZES_OF_12.get(array_shapes.count(STAGES, shapes)) if blocks == 12 else SIZES.get(blocks)
    return f"efficientvit_sam_{size}" if size else None


# No half precision on a GPU: the sums of the linear attention can exceed float16, and bfloat16 was not tried there.
# bfloat16 on a CPU stays available: it has the range of float32, and the weights of the linear attention are not
# negative, so nothing cancels in the sum that divides them. With random weights, L0's embedding loses less than
# MobileSAM's; public weights were not tried.
XL = Family(
    PRESET,
    load,
    engines=("openvino", "onnxruntime", "paddle"),
    quantization=quantization(load_parts),
    network_of=network_of,
)
L = replace(XL, preset=replace(PRESET, input_size=SMALL_INPUT))
NETWORKS = {  # `parts.VARIANTS` makes their layers
    "efficientvit_sam_l0": L,
    "efficientvit_sam_l1": L,
    "efficientvit_sam_l2": L,
    "efficientvit_sam_xl0": XL,
    "efficientvit_sam_xl1": XL,
}

"""The rows of SAM and of MobileSAM, which is SAM with a smaller image encoder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import array_shapes
from ovseg_core.array_shapes import Shapes
from ovseg_core.family import Family, Preset, Quantization
from ovseg_core.sam.shape import CANVAS

if TYPE_CHECKING:
    import openvino as ov

    from ovseg_core.network import Network
    from ovseg_core.sam.loading import LoadParts
    from ovseg_core.sam.parts import SamParts

# The arrays that show the size of the image encoder, with Meta's names and those of Hugging Face
VIT = r"(?:image_encoder\.patch_embed\.proj|vision_encoder\.patch_embed\.projection)\.weight"
TINY_VIT = r"image_encoder\.patch_embed\.seq\.0\.c\.weight"
SIZES = {768: "b", 1024: "l", 1280: "h"}  # by channels
HQ = r"mask_decoder\.(?:hf|hq)_token\.weight"  # SAM-HQ has all arrays of SAM, and this one

PRESET = Preset(
    (123.675, 116.28, 103.53),
    (58.395, 57.12, 57.375),
    resize="pillow",
    canvas_size=CANVAS,
    # The intermediate values of 8 prompts mostly fit into the CPU's cache: 5 % less time per prompt than with 16.
    prompts_per_batch=8,
)


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load a SAM; see `networks.load` and `loading.network`."""
    from ovseg_core.sam import loading

    return loading.network(load_parts, name, weights, device, engine, precision)


def load_parts(name: str, weights: Path, precision: str = "float32", *, on_cpu: bool = False) -> SamParts:
    """Load a SAM's layers with their weights; see `loading.LoadParts`."""
    from ovseg_core.sam import checkpoint, loading
    from ovseg_core.sam.parts import VARIANTS

    return loading.filled(VARIANTS[name](), checkpoint.read(weights), precision, on_cpu)


def quantization(load_parts: LoadParts, is_transformer: bool = False) -> Quantization:
    """Return how the image encoder of a network is quantized, for SAM and the networks derived from it."""
    return Quantization(partial(_encoder_graph, load_parts), is_transformer=is_transformer)


def _encoder_graph(load_parts: LoadParts, name: str, weights: Path) -> ov.Model:
    """Return the image encoder in OpenVINO; see `family.Quantization`."""
    from ovseg_core.engines import in_openvino

    return in_openvino.encoder_graph(name, weights, partial(load_parts, name, weights, on_cpu=True))


def network_of(shapes: Shapes) -> str | None:
    """Recognise a SAM or MobileSAM; see `Family`."""
    if array_shapes.first_side(HQ, shapes):
        return None
    if array_shapes.first_side(TINY_VIT, shapes):
        return "mobile_sam"
    size = SIZES.get(array_shapes.first_side(VIT, shapes))
    return f"sam_{size}" if size else None


MOBILE_SAM = Family(
    PRESET,
    load,
    engines=("openvino", "onnxruntime", "paddle"),
    half_precisions={"onnxruntime": ("float16",), "paddle": ("bfloat16", "float16")},
    quantization=quantization(load_parts),
    is_exportable=True,
    network_of=network_of,
)
SAM = replace(MOBILE_SAM, quantization=quantization(load_parts, is_transformer=True))
NETWORKS = {"mobile_sam": MOBILE_SAM, "sam_b": SAM, "sam_l": SAM, "sam_h": SAM}  # `parts.VARIANTS` makes their layers

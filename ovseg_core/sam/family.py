"""The rows of SAM and of MobileSAM, which is SAM with a smaller image encoder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core.family import Family, Preset, Quantization
from ovseg_core.sam.shape import CANVAS

if TYPE_CHECKING:
    import openvino as ov

    from ovseg_core.network import Network
    from ovseg_core.sam.parts import SamParts

PRESET = Preset(
    (123.675, 116.28, 103.53),
    (58.395, 57.12, 57.375),
    resize="pillow",
    via_canvas=True,
    # The intermediate values of 8 prompts mostly fit into the CPU's cache: 5 % less time per prompt than with 16.
    prompts_per_batch=8,
)


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load a SAM; see `networks.load`.

    In "bfloat16" and "float16" the image encoder runs in half precision, and in "int8" it is the one that
    `quantization` made: nearly all the work is in it. The prompt encoder and the mask decoder stay in float32. On a CPU
    in "bfloat16", the mask decoder runs in bfloat16 too, and only the part that encodes points stays in float32.
    """
    from ovseg_core.engines import runners
    from ovseg_core.sam.network import Sam

    on_cpu = device == "cpu"
    parts = partial(load_parts, name, weights, on_cpu=on_cpu)
    translation = name if on_cpu else f"{name}-gpu"  # its operations are in another order
    return Sam(runners.on(engine, translation, weights, parts, device, precision), CANVAS)


def load_parts(name: str, weights: Path, precision: str = "float32", *, on_cpu: bool = False) -> SamParts:
    """Load a SAM's layers with their weights, on Paddle's current device; see `parts`.

    With `on_cpu`, they compute the same in an order that is faster on a CPU. Raises ValueError if the weights do not
    fit the network.
    """
    from ovseg_core import checkpoints
    from ovseg_core.sam import checkpoint
    from ovseg_core.sam.parts import VARIANTS
    from ovseg_core.sam.vit import VisionTransformer

    parts = VARIANTS[name]()
    parts.eval()
    checkpoints.fill(parts, checkpoint.read(weights))
    if on_cpu and isinstance(parts.image_encoder, VisionTransformer):
        parts.image_encoder.take_turns()
    parts.image_encoder.to(dtype=precision)
    return parts


def encoder_graph(name: str, weights: Path) -> ov.Model:
    """Return the image encoder in OpenVINO; see `family.Quantization`."""
    from ovseg_core.engines import in_openvino

    return in_openvino.encoder_graph(name, weights, partial(load_parts, name, weights, on_cpu=True))


MOBILE_SAM = Family(
    PRESET,
    load,
    engines=("openvino", "onnxruntime", "paddle"),
    half_precisions={"onnxruntime": ("float16",), "paddle": ("bfloat16", "float16")},
    quantization=Quantization(encoder_graph),
    is_exportable=True,
)
SAM = replace(MOBILE_SAM, quantization=Quantization(encoder_graph, is_transformer=True))
NETWORKS = {"mobile_sam": MOBILE_SAM, "sam_b": SAM, "sam_l": SAM, "sam_h": SAM}  # `parts.VARIANTS` makes their layers

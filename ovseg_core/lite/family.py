"""The row of SAM-Lite in the table of networks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import array_shapes
from ovseg_core.array_shapes import Shapes
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.family import Family, Preset, Quantization
from ovseg_core.lite.shape import CANVAS

if TYPE_CHECKING:
    import openvino as ov

    from ovseg_core.lite.parts import LiteParts
    from ovseg_core.network import Network


GRAPHS = Path(__file__).parent / "graphs"  # of `LiteParts`; `python -m training graphs` writes them


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load SAM-Lite; see `networks.load`.

    In "float16" and "int8" only the image encoder runs in that precision, and the other parts run in float32. In
    "bfloat16" all parts except the locator do.
    """
    from ovseg_core.engines import runners
    from ovseg_core.lite.network import SamLite

    parts = partial(load_parts, weights)
    return SamLite(runners.on(engine, name, weights, parts, device, precision, GRAPHS), CANVAS)


def load_parts(weights: Path, precision: str = "float32") -> LiteParts:
    """Load SAM-Lite's layers with their weights, on Paddle's current device.

    Raises ValueError if the weights do not fit the network.
    """
    from ovseg_core import checkpoints
    from ovseg_core.lite.parts import LiteParts

    assert precision == "float32"  # the only precision in Paddle, see `half_precisions` below
    parts = LiteParts()
    parts.eval()
    checkpoints.load(parts, weights)
    return parts


def export_onnx(weights: Path, to: Path) -> None:
    """Write `encoder.onnx` and `decoder.onnx` into a folder; see `onnx_export`."""
    from ovseg_core.lite import onnx_export

    onnx_export.export(weights, to, NETWORKS[NAME].preset.box_mask_threshold)


def encoder_graph(name: str, weights: Path) -> ov.Model:
    """Return the image encoder in OpenVINO; see `family.Quantization`."""
    from ovseg_core.engines import in_openvino

    return in_openvino.encoder_graph(name, weights, partial(load_parts, weights), GRAPHS)


def network_of(shapes: Shapes) -> str | None:
    """Recognise SAM-Lite; see `Family`."""
    return NAME if array_shapes.first_side(r"image_encoder\.context\.weight", shapes) else None


NAME = "sam_lite"
NETWORKS = {
    NAME: Family(
        Preset(
            (127.0,) * 3,
            (128.0,) * 3,
            canvas_size=CANVAS,
            box_mask_threshold=-0.3,  # chosen on training photos
            clip_to_box=True,
            max_hole_share=0.2,
            by_region=True,
            mask_input_stride=2,
            everything=EverythingOptions(
                points_per_side=16, pred_iou_thresh=0.2, stability_score_thresh=0.5, box_nms_thresh=0.6
            ),
            everything_refines=True,
            everything_ranks_by_stability=True,
        ),
        load,
        engines=("openvino", "onnxruntime", "paddle"),
        half_precisions={"onnxruntime": ("float16",)},
        quantization=Quantization(encoder_graph, float32_convolutions=6, smooths_convolutions=True),
        image_embedding=lambda features: features[-1],  # the map of the coarsest stride
        network_of=network_of,
        export_onnx=export_onnx,
    )
}

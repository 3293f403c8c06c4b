"""SAM-Lite's row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core.family import Family, Preset, Quantization

if TYPE_CHECKING:
    import openvino as ov

    from ovseg_core.network import Network


def load(name: str, weights: Path, device: str, engine: str, precision: str, canvas_size: int) -> Network:
    from ovseg_core.lite.network import SamLite

    if engine == "openvino":
        from ovseg_core.lite.openvino_parts import OpenVinoParts

        return SamLite(OpenVinoParts(weights, canvas_size, precision), canvas_size)
    from ovseg_core.lite.paddle_parts import PaddleParts

    return SamLite(PaddleParts.load(weights), canvas_size)


def encoder_graph(name: str, weights: Path, canvas_size: int) -> ov.Model:
    from ovseg_core.lite import openvino_parts

    return openvino_parts.encoder_graph(weights, canvas_size)


NETWORKS = {
    "sam_lite": Family(
        # Trained on canvases of 512; 640 shows small things better. The threshold was chosen on training photos.
        Preset(640, (127.0,) * 3, (128.0,) * 3, box_mask_threshold=-0.3, clip_to_box=True, holes_filled=0.2),
        load,
        engines=("openvino", "paddle"),
        quantization=Quantization(encoder_graph, float32_convolutions=6),
    )
}

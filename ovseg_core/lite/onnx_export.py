"""Export SAM-Lite as two ONNX files that run without this library: an image encoder, and a decoder of boxes.

The parts of `LiteParts` need NumPy code between them. Here the region of a box, its filters, its prompt maps and the
mask on the canvas are computed in the graph. Clicks are not: they need the connected parts of a mask.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx_ir as ir

from ovseg_core import checkpoints
from ovseg_core.engines import onnx_files
from ovseg_core.engines.parts import Shape
from ovseg_core.lite.geometry import CONV_CENTRE
from ovseg_core.lite.parts import LiteParts
from ovseg_core.lite.regions import MARGIN, MIN_HALF
from ovseg_core.lite.shape import CHANNELS, MASK, MASK_CELLS, MASK_CHANNELS, REGION, STRIDES
from ovseg_core.quiet_paddle import functional as F
from ovseg_core.quiet_paddle import paddle

OUTSIDE = -10.0  # logit outside of a box
MAP_NAMES = ["map4", "map8", "map16"]
# The names of the inputs and outputs of each file
NAMES = {"encoder": (["canvas"], MAP_NAMES), "decoder": ([*MAP_NAMES, "boxes"], ["masks", "iou"])}


class BoxParts(LiteParts):
    """SAM-Lite from canvases and boxes to masks on the canvas."""

    def __init__(self, box_mask_threshold: float) -> None:
        super().__init__()
        self.box_mask_threshold = box_mask_threshold

    def shapes(self) -> dict[str, tuple[Shape, ...]]:
        """Return the shapes of the inputs of each file. The number of maps is open for the reason in `LiteParts`."""
        side = self.canvas_size
        maps: list[Shape] = [(None, c, side // s, side // s) for c, s in zip(CHANNELS, STRIDES, strict=True)]
        return {"encoder": ((1, 3, side, side),), "decoder": (*maps, (None, 4))}

    def encoder(self, canvas: paddle.Tensor) -> tuple[paddle.Tensor, ...]:
        """Return the maps of a canvas, RGB as (value - 127) / 128, 0 beside the image."""
        return self.image_encoder(canvas)

    def decoder(
        self, map4: paddle.Tensor, map8: paddle.Tensor, map16: paddle.Tensor, boxes: paddle.Tensor
    ) -> tuple[paddle.Tensor, paddle.Tensor]:
        """Return the masks (N, S, S) of boxes (N, 4), above 0 inside, and their predicted IoU (N,)."""
        centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        half = paddle.maximum(half, paddle.full([1], MIN_HALF)) * MARGIN
        low, high = centre - half, centre + half  # N, 2: x and y
        detail, region8, region16 = (
            _sampled(m[:, :channels], low, high, cells, self.canvas_size // stride, stride)
            # Paddle replaces `zip` by its own when it traces, which does not know `strict`.
            for m, channels, cells, stride in zip((map4, map8, map16), MASK_CHANNELS, MASK_CELLS, STRIDES)  # noqa: B905
        )
        logits, iou = self.mask_head(detail, region8 + region16, _drawn(low, high, boxes))
        return self._on_canvas(logits, low, high, boxes), iou

    def _on_canvas(
        self, logits: paddle.Tensor, low: paddle.Tensor, high: paddle.Tensor, boxes: paddle.Tensor
    ) -> paddle.Tensor:
        """Return logits (N, S, S), relative to the threshold for boxes, from those of regions (N, MASK, MASK)."""
        pixels = paddle.arange(self.canvas_size, dtype="float32") + 0.5
        weights, is_inside = [], []
        for axis in (1, 0):
            first, last = low[:, axis : axis + 1], high[:, axis : axis + 1]
            position = ((pixels - first) / (last - first) * MASK - 0.5).clip(0.0, MASK - 1.0)
            distance = paddle.abs(position.unsqueeze(2) - paddle.arange(MASK, dtype="float32"))
            weights.append(F.relu(1 - distance))  # N, S, MASK
            is_inside.append(_between(pixels, boxes, axis))
        placed = paddle.matmul(paddle.matmul(weights[0], logits), weights[1], transpose_y=True)
        inside = is_inside[0].unsqueeze(2) * is_inside[1].unsqueeze(1)
        return (placed - self.box_mask_threshold) * inside + OUTSIDE * (1 - inside)


def _cells(low: paddle.Tensor, high: paddle.Tensor, axis: int, count: int) -> paddle.Tensor:
    """Do `geometry.cells` for an axis of regions, 0 for x: (N, count)."""
    first, last = low[:, axis : axis + 1], high[:, axis : axis + 1]
    return first + (last - first) * ((paddle.arange(count, dtype="float32") + 0.5) / count)


def _sampled(
    features: paddle.Tensor, low: paddle.Tensor, high: paddle.Tensor, size: int, length: int, stride: int
) -> paddle.Tensor:
    """Do `geometry.sampled` for a map (1, C, length, length): (N, C, size, size)."""
    rows, columns = (_filters(low, high, axis, size, length, stride).unsqueeze(1) for axis in (1, 0))
    return rows @ paddle.matmul(features, columns, transpose_y=True)


def _filters(low: paddle.Tensor, high: paddle.Tensor, axis: int, count: int, length: int, stride: int) -> paddle.Tensor:
    """Return the filters of `_sampled` for an axis of regions: (N, count, length)."""
    position = (_cells(low, high, axis, count) - CONV_CENTRE) / stride
    side = high[:, axis : axis + 1] - low[:, axis : axis + 1]
    width = paddle.maximum(side / (count * stride), paddle.ones([1])).unsqueeze(2)
    distance = paddle.abs(position.unsqueeze(2) - paddle.arange(length, dtype="float32"))
    return F.relu(1 - distance / width) / width


def _between(positions: paddle.Tensor, boxes: paddle.Tensor, axis: int) -> paddle.Tensor:
    """Return 1 for positions between the sides of boxes, and 0 for the others: (N, P) float."""
    after = (positions > boxes[:, axis : axis + 1]).astype("float32")
    return after * (positions < boxes[:, axis + 2 : axis + 3]).astype("float32")


def _drawn(low: paddle.Tensor, high: paddle.Tensor, boxes: paddle.Tensor) -> paddle.Tensor:
    """Do `prompt_maps.of_region` for boxes: (N, MAPS, REGION, REGION)."""
    in_x, in_y = (_between(_cells(low, high, axis, REGION), boxes, axis) for axis in (0, 1))
    inside = (in_y.unsqueeze(2) * in_x.unsqueeze(1)).unsqueeze(1)  # N, 1, REGION, REGION
    nothing = inside * 0
    place = paddle.arange(REGION, dtype="float32") * (2 / (REGION - 1)) - 1
    sides = paddle.log((high - low) / 128).unsqueeze([2, 3])
    across, down = nothing + place, nothing + place.unsqueeze(1)
    return paddle.concat(
        [inside, nothing, nothing, nothing, across, down, nothing + sides[:, :1], nothing + sides[:, 1:]], 1
    )


def export(weights: Path, to: Path, box_mask_threshold: float) -> None:
    """Write `encoder.onnx` and `decoder.onnx` into a folder, with their weights inside.

    Args:
        weights: a file of SAM-Lite's weights.
        to: the folder, which is made if it does not exist.
        box_mask_threshold: the logit above which a pixel belongs to the mask of a box.

    Raises ValueError if the weights do not fit SAM-Lite.
    """
    parts = BoxParts(box_mask_threshold)
    parts.eval()
    checkpoints.load(parts, weights)
    to.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        onnx_files.translate(parts, Path(folder))
        for part, names in NAMES.items():
            model = ir.load(Path(folder) / f"{part}.onnx")
            for values, names_of_values in zip((model.graph.inputs, model.graph.outputs), names, strict=True):
                for value, name in zip(values, names_of_values, strict=True):
                    value.name = name
            ir.save(ir.external_data.load_to_model(model), to / f"{part}.onnx")

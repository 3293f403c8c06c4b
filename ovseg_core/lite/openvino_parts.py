"""The learned parts as OpenVINO graphs, built straight from the checkpoint's arrays: the fast way on a CPU.

The graphs are those of `image_encoder`, `locator` and `mask_head`; a test holds them to the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

from ovseg_core import checkpoints
from ovseg_core.engines import in_openvino, int8
from ovseg_core.engines.in_openvino import Compiled
from ovseg_core.lite.geometry import Filters
from ovseg_core.lite.shape import (
    CHANNELS,
    CLICK_WIDTHS,
    LOCATOR_CHANNELS,
    MAPS,
    MASK,
    MASK_CELLS,
    MASK_CHANNELS,
    REGION,
    STAGES,
    STRIDES,
    TAPS,
)
from ovseg_core.network import Features

Node = Any  # openvino's nodes and outputs


class OpenVinoParts:
    """Ready for canvases of one size; any number of them, and of prompts."""

    def __init__(self, weights: Path, canvas_size: int, precision: str = "float32") -> None:
        arrays = _Arrays.of(weights)
        core = ov.Core()
        core.set_property("CPU", in_openvino.options(in_openvino.HINTS[precision]))
        sides = [canvas_size // stride for stride in STRIDES]
        encoder, locator, mask_head = _encoder(arrays, canvas_size), _locator(arrays, sides), _mask_head(arrays)
        arrays.check_all_used()
        if precision == "int8":
            encoder = int8.read(core, weights, encoder)
        graphs = (encoder, locator, mask_head)
        self._encoder, self._locator, self._mask_head = (Compiled(core.compile_model(graph, "CPU")) for graph in graphs)

    def encode(self, canvases: np.ndarray) -> list[Features]:
        return list(zip(*self._encoder(canvases), strict=True))

    def locate(
        self, maps: Features, clicked: np.ndarray, drawn8: np.ndarray, drawn16: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        coarse, iou = self._locator(*(m[None] for m in maps), clicked, drawn8, drawn16)
        return coarse, iou

    def mask(self, maps: Features, filters: Sequence[Filters], told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = [matrix for rows_columns in filters for matrix in rows_columns]
        logits, iou = self._mask_head(*(m[None] for m in maps), *given, told)
        return logits, iou


def encoder_graph(weights: Path, canvas_size: int) -> ov.Model:
    """Canvases (B, 3, S, S) to maps."""
    return _encoder(_Arrays.of(weights), canvas_size)


class _Arrays:
    """A checkpoint, and which of it a graph has used."""

    @classmethod
    def of(cls, weights: Path) -> _Arrays:
        return cls({name: array.astype(np.float32) for name, array in checkpoints.read(weights).arrays.items()})

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._used: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._arrays:
            raise ValueError(f"the checkpoint has no {name}")
        self._used.add(name)
        return self._arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def check_all_used(self) -> None:
        if unknown := sorted(self._arrays.keys() - self._used):
            raise ValueError(f"the checkpoint has unknown {', '.join(unknown[:5])}")


class _Graph:
    """Layers by the names of their parameters."""

    def __init__(self, arrays: _Arrays, prefix: str) -> None:
        self._arrays, self._prefix = arrays, prefix

    def conv(self, x: Node, name: str, stride: int = 1, depthwise: bool = False) -> Node:
        kernel = self._arrays[f"{self._prefix}.{name}.weight"]
        bias = self._arrays[f"{self._prefix}.{name}.bias"].reshape(1, -1, 1, 1)
        pad = [kernel.shape[-1] // 2] * 2
        if depthwise:
            y = op.group_convolution(x, op.constant(kernel[:, None]), [stride] * 2, pad, pad, [1, 1])
        else:
            y = op.convolution(x, op.constant(kernel), [stride] * 2, pad, pad, [1, 1])
        return op.add(y, op.constant(bias))

    def conv_relu(self, x: Node, name: str, stride: int = 1) -> Node:
        return op.relu(self.conv(x, name, stride))

    def linear(self, x: Node, name: str) -> Node:
        y = op.matmul(x, op.constant(self._arrays[f"{self._prefix}.{name}.weight"]), False, True)
        return op.add(y, op.constant(self._arrays[f"{self._prefix}.{name}.bias"]))

    def hourglass(self, x: Node, side: int) -> tuple[Node, Node]:
        at = _Graph(self._arrays, f"{self._prefix}.hourglass")
        x = at.conv_relu(x, "enter")
        y = at.conv_relu(at.conv_relu(x, "down1", 2), "mid1")
        z = at.conv_relu(at.conv_relu(y, "down2", 2), "mid2")
        whole = op.reduce_mean(z, np.array([2, 3]))
        z = op.add(z, _as_map(at.linear(whole, "whole")))
        y = at.conv_relu(op.add(y, _resized(at.conv(z, "up2"), side // 2)), "out2")
        return at.conv_relu(op.add(x, _resized(at.conv(y, "up1"), side)), "out1"), whole

    def score(self, whole: Node) -> Node:
        return op.sigmoid(self.linear(op.relu(self.linear(whole, "score.hidden")), "score.out"))

    def inverted_residual(self, x: Node, name: str, stride: int, has_skip: bool) -> Node:
        y = x
        if f"{self._prefix}.{name}.expand.weight" in self._arrays:
            y = op.clamp(self.conv(y, f"{name}.expand"), 0.0, 6.0)
        y = op.clamp(self.conv(y, f"{name}.depthwise", stride, depthwise=True), 0.0, 6.0)
        y = self.conv(y, f"{name}.project")
        return op.add(x, y) if has_skip else y


def _encoder(arrays: _Arrays, canvas_size: int) -> ov.Model:
    at = _Graph(arrays, "image_encoder")
    canvas = _input([-1, 3, canvas_size, canvas_size])
    x = op.clamp(at.conv(canvas, "stem", 2), 0.0, 6.0)
    taps = []
    for i, (blocks, _, stride, _, channels_in, channels_out) in enumerate(STAGES):
        for j in range(blocks):
            is_first = j == 0
            has_skip = not is_first or (stride == 1 and channels_in == channels_out)
            x = at.inverted_residual(x, f"stages.{i}.{j}", stride if is_first else 1, has_skip)
        if i in TAPS:
            taps.append(x)
    c2, c3, c4, c5 = taps
    side2, side3, side4 = (canvas_size // stride for stride in STRIDES)
    p5 = at.conv_relu(at.conv_relu(c5, "lateral5"), "context")
    p4 = at.conv_relu(op.add(at.conv(c4, "lateral4"), _resized(p5, side4)), "merge4")
    p3 = at.conv_relu(op.add(at.conv(c3, "lateral3"), _resized(at.conv(p4, "down4"), side3)), "merge3")
    p2 = at.conv_relu(op.add(at.conv(c2, "lateral2"), _resized(at.conv(p3, "down3"), side2)), "merge2")
    maps = [at.conv(p, f"ends.{i}") for i, p in enumerate((p2, p3, p4))]
    return ov.Model(maps, [canvas], "image_encoder")


def _locator(arrays: _Arrays, sides: Sequence[int]) -> ov.Model:
    at = _Graph(arrays, "locator")
    (_, side8, side16), (fine, entered) = sides, LOCATOR_CHANNELS
    detail = _input([1, fine, side8, side8])
    feature, same = _input([1, entered, side16, side16]), _input([1, entered, side16, side16])
    clicked = _input([-1, sum(CHANNELS[1:])])
    drawn8, drawn16 = _input([-1, 2, side8, side8]), _input([-1, 2 * len(CLICK_WIDTHS), side16, side16])
    like = op.multiply(feature, _as_map(at.linear(clicked, "key")))
    x, whole = at.hourglass(op.relu(op.add(at.conv(op.concat([like, drawn16], 1), "enter"), same)), side16)
    like = op.multiply(detail, _as_map(op.add(at.linear(clicked, "fine_key"), op.constant(np.float32(1)))))
    x = op.add(op.add(_resized(at.conv(x, "up"), side8), like), at.conv(drawn8, "near"))
    inputs = [detail, feature, same, clicked, drawn8, drawn16]
    return ov.Model([at.conv(at.conv_relu(x, "fine"), "out"), at.score(whole)], inputs, "locator")


def _mask_head(arrays: _Arrays) -> ov.Model:
    at = _Graph(arrays, "mask_head")
    maps = [_input([1, c, -1, -1]) for c in MASK_CHANNELS]
    filters = [(_input([-1, cells, -1]), _input([-1, cells, -1])) for cells in MASK_CELLS]
    told = _input([-1, MAPS, REGION, REGION])
    detail, seen8, seen16 = (_sampled(m, *rows_columns) for m, rows_columns in zip(maps, filters, strict=True))
    halved = op.avg_pool(detail, [2, 2], [0, 0], [0, 0], [2, 2], False)
    entered = at.conv(op.concat([halved, told], 1), "enter")
    x, whole = at.hourglass(op.relu(op.add(entered, op.add(seen8, seen16))), REGION)
    x = at.conv_relu(op.add(_resized(at.conv(x, "up"), MASK), detail), "fine")
    logits = op.squeeze(at.conv(x, "out"), np.array([1]))
    iou = op.squeeze(at.score(whole), np.array([1]))
    return ov.Model([logits, iou], [*maps, *(matrix for pair in filters for matrix in pair), told], "mask_head")


def _input(shape: list[int]) -> Node:
    return op.parameter(shape, np.float32)


def _resized(x: Node, side: int) -> Node:
    return op.interpolate(
        x,
        np.array([side, side], np.int64),
        "linear_onnx",
        "sizes",
        coordinate_transformation_mode="half_pixel",
        axes=np.array([2, 3]),
    )


def _as_map(x: Node) -> Node:
    return op.unsqueeze(x, np.array([2, 3]))


def _sampled(x: Node, rows: Node, columns: Node) -> Node:
    """As `layers.sampled`."""
    across = op.matmul(x, op.unsqueeze(columns, np.array([1])), False, True)
    return op.matmul(op.unsqueeze(rows, np.array([1])), across, False, False)

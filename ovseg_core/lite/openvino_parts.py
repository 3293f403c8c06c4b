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
from ovseg_core.engines import in_openvino
from ovseg_core.lite.geometry import Filters
from ovseg_core.lite.shape import CHANNELS, CLICK_WIDTHS, MAPS, MASK, REGION, STAGES, STRIDES, TAPS
from ovseg_core.networks import Features

Node = Any  # openvino's nodes and outputs


class OpenVinoParts:
    """Ready for canvases of one size; any number of them, and of prompts."""

    def __init__(self, weights: Path, canvas_size: int) -> None:
        arrays = _Arrays({name: array.astype(np.float32) for name, array in checkpoints.read(weights).arrays.items()})
        core = ov.Core()
        core.set_property("CPU", in_openvino.options("f32"))
        sides = [canvas_size // stride for stride in STRIDES]
        self._encoder = core.compile_model(_encoder(arrays, canvas_size), "CPU")
        self._locator = core.compile_model(_locator(arrays, sides), "CPU")
        self._mask_head = core.compile_model(_mask_head(arrays, sides), "CPU")
        arrays.check_all_used()

    def encode(self, canvases: np.ndarray) -> list[Features]:
        answer = self._encoder([canvases])
        return list(zip(*(answer[i] for i in range(len(STRIDES))), strict=True))

    def locate(
        self, p3: np.ndarray, p4: np.ndarray, at3: np.ndarray, at4: np.ndarray, drawn3: np.ndarray, drawn4: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        answer = self._locator([p3[None], p4[None], at3, at4, drawn3, drawn4])
        return answer[0], answer[1]

    def mask(
        self, maps: Features, filters: Sequence[Filters], fine_filters: Filters, told: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        given = [matrix for rows_columns in (*filters, fine_filters) for matrix in rows_columns]
        answer = self._mask_head([*(m[None] for m in maps), *given, told])
        return answer[0], answer[1]


class _Arrays:
    """A checkpoint, and which of it a graph has used."""

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
    return ov.Model([p2, p3, p4], [canvas], "image_encoder")


def _locator(arrays: _Arrays, sides: Sequence[int]) -> ov.Model:
    at = _Graph(arrays, "locator")
    (_, side3, side4), (_, channels3, channels4) = sides, CHANNELS
    p3, p4 = _input([1, channels3, side3, side3]), _input([1, channels4, side4, side4])
    at3, at4 = _input([-1, side3 * side3]), _input([-1, side4 * side4])
    drawn3, drawn4 = _input([-1, 2, side3, side3]), _input([-1, 2 * len(CLICK_WIDTHS), side4, side4])
    clicked3 = op.matmul(at3, _flat(p3, channels3), False, True)
    clicked4 = op.matmul(at4, _flat(p4, channels4), False, True)
    key = op.add(at.linear(clicked4, "key4"), at.linear(clicked3, "key3"))
    feature = at.conv(p4, "feature")
    like = op.multiply(feature, _as_map(key))
    same = op.broadcast(feature, op.shape_of(like))
    x, whole = at.hourglass(at.conv_relu(op.concat([same, like, drawn4], 1), "enter"), side4)
    detail = at.conv(p3, "detail")
    like = op.multiply(detail, _as_map(at.linear(clicked3, "key8")))
    fine = op.add(_resized(at.conv(x, "up"), side3), detail)
    fine = at.conv_relu(op.concat([fine, like, drawn3], 1), "fine")
    return ov.Model([at.conv(fine, "out"), at.score(whole)], [p3, p4, at3, at4, drawn3, drawn4], "locator")


def _mask_head(arrays: _Arrays, sides: Sequence[int]) -> ov.Model:
    at = _Graph(arrays, "mask_head")
    maps = [_input([1, c, side, side]) for c, side in zip(CHANNELS, sides, strict=True)]
    filters = [(_input([-1, REGION, side]), _input([-1, REGION, side])) for side in sides]
    fine_filters = (_input([-1, MASK, sides[0]]), _input([-1, MASK, sides[0]]))
    told = _input([-1, MAPS, REGION, REGION])
    seen = [
        _sampled(m, rows, columns, c, side, REGION)
        for m, (rows, columns), c, side in zip(maps, filters, CHANNELS, sides, strict=True)
    ]
    x, whole = at.hourglass(at.conv_relu(op.concat([*seen, told], 1), "enter"), REGION)
    detail = at.conv(_sampled(maps[0], *fine_filters, CHANNELS[0], sides[0], MASK), "detail")
    fine = at.conv_relu(op.add(_resized(at.conv(x, "up"), MASK), detail), "fine")
    logits = op.squeeze(at.conv(fine, "out"), np.array([1]))
    iou = op.squeeze(at.score(whole), np.array([1]))
    inputs = [*maps, *(matrix for pair in (*filters, fine_filters) for matrix in pair), told]
    return ov.Model([logits, iou], inputs, "mask_head")


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


def _flat(x: Node, channels: int) -> Node:
    return op.reshape(x, np.array([channels, -1]), False)


def _sampled(x: Node, rows: Node, columns: Node, channels: int, side: int, size: int) -> Node:
    """As `layers.sampled`."""
    across = op.matmul(op.reshape(x, np.array([1, channels * side, side]), False), columns, False, True)
    across = op.reshape(across, np.array([-1, channels, side, size]), False)
    return op.matmul(op.unsqueeze(rows, np.array([1])), across, False, False)

"""Translate Paddle's operations to ONNX's. Each operation that our networks use has a function of the same name.

Paddle's operations are described in paddle/phi/ops/yaml/ops.yaml, and ONNX's at https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ovseg_core.engines.onnx_writer import Writer

# The attributes of an operation. "shapes" and "types" are those of its inputs and of its first result, in this order.
# An unknown size is -1.
Attributes = dict[str, Any]

OPERATIONS: dict[str, Callable[..., Any]] = {}  # the translations by the name of Paddle's operation


def translates(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the translation of Paddle's operations of these names."""

    def register(translate: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS.update(dict.fromkeys(names, translate))
        return translate

    return register


def _one_node(kind: str) -> Callable[..., ir.Value]:
    """Return a translation to a node with the same inputs and without attributes."""
    return lambda write, attributes, *inputs: write(kind, *inputs)


for _name, _kind in {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "equal": "Equal",
    "greater_than": "Greater",
    "less_than": "Less",
    "where": "Where",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "sin": "Sin",
    "cos": "Cos",
    "abs": "Abs",
    "exp": "Exp",
    "log": "Log",
    "clip": "Clip",
    "floor_divide": "Div",  # our networks divide only indices of a grid, which are integers and not negative
    "remainder": "Mod",
    "gather_nd": "GatherND",
    "shape64": "Shape",
    "unsqueeze": "Unsqueeze",
    "squeeze": "Squeeze",
}.items():
    OPERATIONS[_name] = _one_node(_kind)


@translates("full")
def full(write: Writer, attributes: Attributes) -> ir.Value:
    return write.constant(np.full(attributes["shape"], attributes["value"], attributes["types"][-1]))


@translates("full_like")
def full_like(write: Writer, attributes: Attributes, x: ir.Value, value: ir.Value) -> ir.Value:
    return write("Expand", _number(value, attributes), write("Shape", x))


@translates("assign_value_")
def assign_value(write: Writer, attributes: Attributes, _: ir.Value) -> ir.Value:
    return write.constant(np.array(attributes["values"], attributes["types"][-1]).reshape(attributes["shape"]))


@translates("full_int_array")
def full_int_array(write: Writer, attributes: Attributes) -> ir.Value:
    return write.constant(np.array(attributes["value"], np.int64))


@translates("arange")
def arange(write: Writer, attributes: Attributes, start: ir.Value, end: ir.Value, step: ir.Value) -> ir.Value:
    return write.constant(np.arange(_item(start), _item(end), _item(step)).astype(attributes["types"][-1]))


@translates("cast")
def cast(write: Writer, attributes: Attributes, x: ir.Value) -> ir.Value:
    return write.cast(x, attributes["types"][-1])


@translates("scale")
def scale(write: Writer, attributes: Attributes, x: ir.Value, factor: ir.Value) -> ir.Value:
    scale_by, bias = _number(factor, attributes), np.array(attributes["bias"], attributes["types"][-1])
    if attributes["bias_after_scale"]:
        return write("Add", write("Mul", x, scale_by), bias)
    return write("Mul", write("Add", x, bias), scale_by)


@translates("matmul")
def matmul(write: Writer, attributes: Attributes, a: ir.Value, b: ir.Value) -> ir.Value:
    ranks = [len(shape) for shape in attributes["shapes"]]
    return write(
        "MatMul",
        _transposed(write, a, ranks[0]) if attributes["transpose_x"] else a,
        _transposed(write, b, ranks[1]) if attributes["transpose_y"] else b,
    )


@translates("softmax")
def softmax(write: Writer, attributes: Attributes, x: ir.Value) -> ir.Value:
    return write("Softmax", x, axis=attributes["axis"])


@translates("sum")
def sum_(write: Writer, attributes: Attributes, x: ir.Value, axes: ir.Value) -> ir.Value:
    return write("ReduceSum", x, axes, keepdims=int(attributes["keepdim"]))


@translates("mean")
def mean(write: Writer, attributes: Attributes, x: ir.Value, axes: ir.Value) -> ir.Value:
    return write("ReduceMean", x, axes, keepdims=int(attributes["keepdim"]))


@translates("max")
def max_(write: Writer, attributes: Attributes, x: ir.Value, axes: ir.Value) -> ir.Value:
    return write("ReduceMax", x, axes, keepdims=int(attributes["keepdim"]))


@translates("relu6")
def relu6(write: Writer, attributes: Attributes, x: ir.Value) -> ir.Value:
    return write("Clip", x, np.array(0, attributes["types"][-1]), np.array(6, attributes["types"][-1]))


@translates("gelu")
def gelu(write: Writer, attributes: Attributes, x: ir.Value) -> ir.Value:
    return write("Gelu", x, approximate="tanh" if attributes["approximate"] else "none")


@translates("layer_norm")
def layer_norm(write: Writer, attributes: Attributes, x: ir.Value, weight: ir.Value, bias: ir.Value) -> ir.Value:
    return write(
        "LayerNormalization", x, weight, bias, axis=attributes["begin_norm_axis"], epsilon=attributes["epsilon"]
    )


@translates("batch_norm_")
def batch_norm(
    write: Writer,
    attributes: Attributes,
    x: ir.Value,
    average: ir.Value,
    variance: ir.Value,
    weight: ir.Value,
    bias: ir.Value,
) -> ir.Value:
    return write("BatchNormalization", x, weight, bias, average, variance, epsilon=attributes["epsilon"])


@translates("group_norm")
def group_norm(write: Writer, attributes: Attributes, x: ir.Value, weight: ir.Value, bias: ir.Value) -> ir.Value:
    # ONNX's GroupNormalization has one weight for each group, until opset 21.
    groups, channels, of = attributes["groups"], attributes["shapes"][0][1], attributes["types"][-1]
    ones, zeros = np.ones(groups, of), np.zeros(groups, of)
    grouped = write("Reshape", x, [0, groups, -1])
    normed = write("InstanceNormalization", grouped, ones, zeros, epsilon=attributes["epsilon"])
    by_channel = [channels, *[1] * (len(attributes["shapes"][0]) - 2)]
    scaled = write("Mul", write("Reshape", normed, write("Shape", x)), write("Reshape", weight, by_channel))
    return write("Add", scaled, write("Reshape", bias, by_channel))


@translates("conv2d", "depthwise_conv2d")
def conv2d(write: Writer, attributes: Attributes, x: ir.Value, kernel: ir.Value) -> ir.Value:
    options = {"group": attributes["groups"], "strides": attributes["strides"], "dilations": attributes["dilations"]}
    return write("Conv", x, kernel, pads=_padding(attributes), **options)


@translates("pool2d")
def pool2d(write: Writer, attributes: Attributes, x: ir.Value, kernel: ir.Value) -> ir.Value:
    is_unsupported = (
        attributes["adaptive"] or attributes["global_pooling"] or attributes["ceil_mode"] or any(_padding(attributes))
    )
    if attributes["pooling_type"] != "avg" or is_unsupported:
        raise ValueError("only average pooling without padding can be translated from Paddle to ONNX yet")
    return write("AveragePool", x, kernel_shape=_constant(kernel).tolist(), strides=attributes["strides"])


@translates("bilinear_interp")
def bilinear_interp(write: Writer, attributes: Attributes, x: ir.Value, *size: ir.Value | None) -> ir.Value:
    if attributes["align_corners"] or attributes["align_mode"] or not attributes["scale"] or any(size):
        raise ValueError("only resizing by a factor with half-pixel centres can be translated from Paddle to ONNX yet")
    scales = np.array([1, 1, *attributes["scale"]], np.float32)
    return write("Resize", x, None, scales, mode="linear", coordinate_transformation_mode="half_pixel")


@translates("grid_sample")
def grid_sample(write: Writer, attributes: Attributes, x: ir.Value, places: ir.Value) -> ir.Value:
    mode = {"bilinear": "linear", "nearest": "nearest"}[attributes["mode"]]
    options = {"padding_mode": attributes["padding_mode"], "align_corners": int(attributes["align_corners"])}
    return write("GridSample", x, places, mode=mode, **options)


@translates("pad")
def pad(write: Writer, attributes: Attributes, x: ir.Value, value: ir.Value) -> ir.Value:
    paddings = attributes["paddings"]
    return write("Pad", x, [*paddings[::2], *paddings[1::2]], _number(value, attributes))


@translates("reshape")
def reshape(write: Writer, attributes: Attributes, x: ir.Value, shape: Any) -> ir.Value:
    result = attributes["shapes"][-1]
    return write("Reshape", x, result if result.count(-1) < 2 else _vector(write, shape))


@translates("transpose")
def transpose(write: Writer, attributes: Attributes, x: ir.Value) -> ir.Value:
    return write("Transpose", x, perm=attributes["perm"])


@translates("flatten")
def flatten(write: Writer, attributes: Attributes, x: ir.Value) -> ir.Value:
    start, stop = (axis % len(attributes["shapes"][0]) for axis in (attributes["start_axis"], attributes["stop_axis"]))
    tail = write("Shape", x, start=stop + 1)
    return write("Reshape", x, write("Concat", [*[0] * start, -1], tail, axis=0))  # 0 keeps the size of the input


@translates("slice")
def slice_(write: Writer, attributes: Attributes, x: ir.Value, starts: Any, ends: Any) -> ir.Value:
    y = write("Slice", x, _vector(write, starts), _vector(write, ends), attributes["axes"])
    return write("Squeeze", y, attributes["decrease_axis"]) if attributes["decrease_axis"] else y


@translates("expand")
def expand(write: Writer, attributes: Attributes, x: ir.Value, shape: Any) -> ir.Value:
    return write("Expand", x, write("Max", _vector(write, shape), [1]))  # -1, to keep a size of the input, becomes 1


@translates("gather")
def gather(write: Writer, attributes: Attributes, x: ir.Value, indices: ir.Value, axis: ir.Value) -> ir.Value:
    return write("Gather", x, indices, axis=_integer(axis))


@translates("embedding")
def embedding(write: Writer, attributes: Attributes, indices: ir.Value, table: ir.Value) -> ir.Value:
    return write("Gather", table, indices, axis=0)


@translates("combine")
def combine(write: Writer, attributes: Attributes, *parts: ir.Value) -> Sequence[ir.Value]:
    return parts


@translates("split")
def split(write: Writer, attributes: Attributes, parts: Sequence[ir.Value]) -> Sequence[ir.Value]:
    return parts


@translates("concat")
def concat(write: Writer, attributes: Attributes, parts: Sequence[ir.Value], axis: ir.Value) -> ir.Value:
    return write("Concat", *parts, axis=_integer(axis))


@translates("stack")
def stack(write: Writer, attributes: Attributes, parts: Sequence[ir.Value]) -> ir.Value:
    return write("Concat", *(write("Unsqueeze", part, [attributes["axis"]]) for part in parts), axis=attributes["axis"])


@translates("split_with_num")
def split_with_num(write: Writer, attributes: Attributes, x: ir.Value, axis: ir.Value) -> Sequence[ir.Value]:
    return write.several("Split", attributes["num"], x, axis=_integer(axis), num_outputs=attributes["num"])


@translates("unbind")
def unbind(write: Writer, attributes: Attributes, x: ir.Value) -> Sequence[ir.Value]:
    axis = attributes["axis"]
    number = attributes["shapes"][0][axis]
    parts = write.several("Split", number, x, axis=axis, num_outputs=number)
    return [write("Squeeze", part, [axis]) for part in parts]


def _padding(attributes: Attributes) -> list[int]:
    """Return the paddings of an operation as ONNX orders them: before each axis, then after each axis."""
    if attributes["padding_algorithm"] != "EXPLICIT":
        raise ValueError(f"Paddle's padding {attributes['padding_algorithm']} cannot be translated to ONNX yet")
    paddings = list(attributes["paddings"])
    return paddings * 2 if len(paddings) == 2 else [*paddings[::2], *paddings[1::2]]


def _transposed(write: Writer, x: ir.Value, rank: int) -> ir.Value:
    """Transpose the last two axes."""
    return write("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])


def _vector(write: Writer, x: ir.Value | Sequence[ir.Value]) -> ir.Value:
    """Return integers as one vector. Paddle's operand is a vector or a list of scalars."""
    if isinstance(x, ir.Value):
        return x
    return write("Concat", *(write("Reshape", part, [1]) for part in x), axis=0)


def _number(x: ir.Value, attributes: Attributes) -> np.ndarray:
    """Return the only number of a constant, in the type of the operation's result."""
    return np.array(_item(x), attributes["types"][-1])


def _integer(x: ir.Value) -> int:
    return int(_item(x))


def _item(x: ir.Value) -> Any:
    return _constant(x).item()


def _constant(x: ir.Value) -> np.ndarray:
    if x.const_value is None:
        raise ValueError("a number that the program computes cannot be translated to ONNX here, only a constant")
    return x.const_value.numpy()

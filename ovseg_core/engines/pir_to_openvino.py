"""Paddle's programs (PIR) as OpenVINO models: one definition of a network, two engines.

OpenVINO's own frontend reads the programs of Paddle 2 only, and paddle2onnx writes an empty file for weights beyond
2 GB. Here each operation that our networks use has a function of its name; one that has none is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as op

Node = Any  # openvino's nodes and outputs
Said = dict[str, Any]  # an operation's attributes, and "shapes": of its inputs and of its first result, -1 for unknown

TYPES = {"BOOL": np.bool_, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32, "FLOAT64": np.float64}


def translated(program: Any, outputs: Sequence[Any], weights: Mapping[str, np.ndarray]) -> ov.Model:
    """A model with the inputs of the program, in their order, and these of its values as outputs.

    Raises ValueError for an operation that is not known here.
    """
    nodes: dict[str, Node] = {}
    inputs = []
    for operation in program.global_block().ops:
        kind = operation.name().removeprefix("pd_op.").removeprefix("builtin.")
        given, results = operation.operands_source(), operation.results()
        said = {**operation.attrs(), "shapes": [_shape(value) for value in (*given, *results[:1])]}
        if kind == "parameter":
            made = op.constant(weights[said["parameter_name"]], shared_memory=True)
        elif kind == "data":
            made = op.parameter(list(said["shape"]), np.float32, said["name"])
            inputs.append(made)
        elif kind in OPERATIONS:
            made = OPERATIONS[kind](said, *(nodes[value.id] for value in given))
        else:
            raise ValueError(f"there is no way from Paddle's operation {kind} to OpenVINO yet")
        # Operations of several results have one that counts (a norm's statistics are training's), but for those whose
        # result is a list.
        nodes.update({value.id: made for value in results[:1]})
        if kind == "split":
            nodes.update({value.id: part for value, part in zip(results, made, strict=True)})
    return ov.Model([nodes[value.id] for value in outputs], inputs)


OPERATIONS: dict[str, Callable[..., Node]] = {}  # what SAM's networks are made of, and no more


def translates(*names: str) -> Callable[[Callable[..., Node]], Callable[..., Node]]:
    def keep(make: Callable[..., Node]) -> Callable[..., Node]:
        OPERATIONS.update(dict.fromkeys(names, make))
        return make

    return keep


def _of_inputs_alone(make: Callable[..., Node]) -> Callable[..., Node]:
    return lambda said, *inputs: make(*inputs)


for _name, _make in {
    "add": op.add,
    "subtract": op.subtract,
    "multiply": op.multiply,
    "divide": op.divide,
    "equal": op.equal,
    "where": op.select,
    "relu": op.relu,
    "sin": op.sin,
    "cos": op.cos,
    "abs": op.abs,
    "floor_divide": lambda a, b: op.floor(op.divide(a, b)),
    "remainder": op.floor_mod,
    "gather": op.gather,
    "gather_nd": lambda x, indices: op.gather_nd(x, indices, 0),
    "shape64": op.shape_of,
}.items():
    OPERATIONS[_name] = _of_inputs_alone(_make)


@translates("full")
def full(said: Said) -> Node:
    return op.constant(np.full(said["shape"], said["value"], _type(said)))


@translates("full_like")
def full_like(said: Said, x: Node, value: Node) -> Node:
    return op.broadcast(_scalar(op.convert_like(value, x)), op.shape_of(x))


@translates("assign_value_")
def assign_value(said: Said, _: Node) -> Node:
    return op.constant(np.array(said["values"], _type(said)).reshape(said["shape"]))


@translates("full_int_array")
def full_int_array(said: Said) -> Node:
    return op.constant(np.array(said["value"], np.int64))


@translates("arange")
def arange(said: Said, start: Node, end: Node, step: Node) -> Node:
    name = _type_name(said)
    return op.range(*(op.convert(_scalar(x), name) for x in (start, end, step)), name)


@translates("cast")
def cast(said: Said, x: Node) -> Node:
    return op.convert(x, _type_name(said))


@translates("scale")
def scale(said: Said, x: Node, factor: Node) -> Node:
    factor, bias = op.convert_like(factor, x), op.convert_like(op.constant(np.float32(said["bias"])), x)
    if said["bias_after_scale"]:
        return op.add(op.multiply(x, _scalar(factor)), bias)
    return op.multiply(op.add(x, bias), _scalar(factor))


@translates("matmul")
def matmul(said: Said, a: Node, b: Node) -> Node:
    return op.matmul(a, b, said["transpose_x"], said["transpose_y"])


@translates("softmax")
def softmax(said: Said, x: Node) -> Node:
    return op.softmax(x, said["axis"])


@translates("sum")
def sum_(said: Said, x: Node, axes: Node) -> Node:
    return op.reduce_sum(x, axes, said["keepdim"])


@translates("gelu")
def gelu(said: Said, x: Node) -> Node:
    return op.gelu(x, "tanh" if said["approximate"] else "erf")


@translates("layer_norm")
def layer_norm(said: Said, x: Node, weight: Node, bias: Node) -> Node:
    axes = np.arange(said["begin_norm_axis"], _rank(x))
    return op.add(op.multiply(op.mvn(x, axes, True, said["epsilon"], "inside_sqrt"), weight), bias)


@translates("batch_norm_")
def batch_norm(said: Said, x: Node, average: Node, variance: Node, weight: Node, bias: Node) -> Node:
    return op.batch_norm_inference(x, weight, bias, average, variance, said["epsilon"])


@translates("conv2d", "depthwise_conv2d")
def conv2d(said: Said, x: Node, kernel: Node) -> Node:
    groups = said["groups"]
    given = (said["strides"], *_padding(said), said["dilations"])
    if groups == 1:
        return op.convolution(x, kernel, *given)
    outputs, *others = kernel.get_output_shape(0)
    return op.group_convolution(x, _reshaped(kernel, [groups, outputs // groups, *others]), *given)


@translates("pad")
def pad(said: Said, x: Node, value: Node) -> Node:
    paddings = np.array(said["paddings"], np.int64)
    return op.pad(x, paddings[::2], paddings[1::2], "constant", _scalar(op.convert_like(value, x)))


@translates("reshape")
def reshape(said: Said, x: Node, shape: Node) -> Node:
    result = said["shapes"][-1]
    if result.count(-1) < 2:
        return _reshaped(x, result)
    return op.reshape(x, _vector(shape), special_zero=True)


@translates("transpose")
def transpose(said: Said, x: Node) -> Node:
    return op.transpose(x, np.array(said["perm"], np.int64))


@translates("flatten")
def flatten(said: Said, x: Node) -> Node:
    start, stop = (axis % _rank(x) for axis in (said["start_axis"], said["stop_axis"]))
    shape = op.shape_of(x)
    tail = op.slice(shape, *(np.array([i], np.int64) for i in (stop + 1, 100, 1)))
    return op.reshape(x, op.concat([*[np.array([0])] * start, np.array([-1]), tail], 0), special_zero=True)


@translates("unsqueeze")
def unsqueeze(said: Said, x: Node, axes: Node) -> Node:
    return op.unsqueeze(x, axes)


@translates("slice")
def slice_(said: Said, x: Node, starts: Node, ends: Node) -> Node:
    axes = np.array(said["axes"], np.int64)
    y = op.slice(x, _vector(starts), _vector(ends), np.ones_like(axes), axes)
    gone = np.array(said["decrease_axis"], np.int64)
    return op.squeeze(y, gone) if len(gone) else y


@translates("expand")
def expand(said: Said, x: Node, shape: Node) -> Node:
    kept = op.maximum(_vector(shape), op.constant(np.int64(1)))  # -1 is what it was
    return op.broadcast(x, kept, broadcast_spec="BIDIRECTIONAL")


@translates("combine")
def combine(said: Said, *parts: Node) -> Node:
    return parts


@translates("split")
def split(said: Said, parts: Sequence[Node]) -> Node:
    return parts


@translates("concat")
def concat(said: Said, parts: Sequence[Node], axis: Node) -> Node:
    return op.concat(list(parts), int(axis.get_data().item()))


@translates("stack")
def stack(said: Said, parts: Sequence[Node]) -> Node:
    axis = np.array(said["axis"], np.int64)
    return op.concat([op.unsqueeze(part, axis) for part in parts], said["axis"])


@translates("split_with_num")
def split_with_num(said: Said, x: Node, axis: Node) -> Node:
    return op.split(x, _scalar(axis), said["num"]).outputs()


@translates("unbind")
def unbind(said: Said, x: Node) -> Node:
    axis = said["axis"]
    parts = op.split(x, np.int64(axis), said["shapes"][0][axis])
    return [op.squeeze(part, np.array([axis])) for part in parts.outputs()]


def _type(said: Said) -> Any:
    return TYPES[said["dtype"].name]


def _type_name(said: Said) -> str:
    return str(ov.Type(_type(said)).get_type_name())


def _padding(said: Said) -> tuple[list[int], list[int]]:
    """Before and after, of each axis."""
    if said["padding_algorithm"] != "EXPLICIT":
        raise ValueError(f"there is no way from Paddle's padding {said['padding_algorithm']} to OpenVINO yet")
    paddings = list(said["paddings"])
    return (paddings, paddings) if len(paddings) == 2 else (paddings[::2], paddings[1::2])


def _shape(value: Any) -> list[int]:
    """Of a tensor; of a list of them nothing."""
    return list(value.shape) if value.is_dense_tensor_type() else []


def _rank(x: Node) -> int:
    return int(x.get_output_partial_shape(0).rank.get_length())


def _vector(x: Node | Sequence[Node]) -> Node:
    """Integers as Paddle gives them, a vector or a list of scalars."""
    if isinstance(x, (list, tuple)):
        return op.concat([op.reshape(part, np.array([1]), False) for part in x], 0)
    return x


def _reshaped(x: Node, shape: Sequence[int]) -> Node:
    return op.reshape(x, np.array(shape, np.int64), False)


def _scalar(x: Node) -> Node:
    return _reshaped(x, [])

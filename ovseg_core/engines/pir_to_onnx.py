"""Paddle's programs (PIR) as ONNX models: one definition of a network for every engine.

paddle2onnx writes an empty file for weights beyond 2 GB, and OpenVINO's own frontend reads the programs of Paddle 2
only. Here each operation that our networks use has a function of its name; one that has none is a ValueError. The
operations are as https://onnx.ai/onnx/operators/ has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # the first that has this opset

# An operation's attributes, and "shapes" and "types": of its inputs and of its first result, -1 for an unknown size.
Said = dict[str, Any]

TYPES = {
    "BOOL": np.bool_,
    "INT32": np.int32,
    "INT64": np.int64,
    "FLOAT32": np.float32,
    "FLOAT64": np.float64,
}


Weights = Mapping[str, tuple[str, np.ndarray]]  # by Paddle's name of the parameter: our name of it, and its array


def translated(program: Any, outputs: Sequence[Any], weights: Weights, precision: str) -> ir.Model:
    """Translate a program to a model with the same inputs in the same order, and these values of it as outputs.

    The model's initialisers are the weights that the program uses, and nothing else: other constants are nodes. In the
    precision "float16" what is float32 in the program is float16 in the model, except for inputs and outputs: the CPU
    build of Paddle cannot trace a float16 program.

    Raises ValueError for an operation that is not known here.
    """
    write = Writer()
    types = TYPES | {"FLOAT32": np.dtype(precision).type}
    values: dict[str, Any] = {}
    inputs = []
    for operation in program.global_block().ops:
        kind = operation.name().removeprefix("pd_op.").removeprefix("builtin.")
        given, results = operation.operands_source(), operation.results()
        if kind == "parameter":
            name, array = weights[operation.attrs()["parameter_name"]]
            made: Any = write.weight(name, array.astype(types[results[0].dtype.name], copy=False))
        elif kind == "data":
            inputs.append(_value(ir.Value(name=operation.attrs()["name"]), results[0]))
            made = _cast(write, inputs[-1], types[results[0].dtype.name])
        elif kind in OPERATIONS:
            made = OPERATIONS[kind](write, _said(operation, types), *(_given(value, values) for value in given))
        else:
            raise ValueError(f"there is no way from Paddle's operation {kind} to ONNX yet")
        # Operations of several results have one that counts (a norm's statistics are training's), but for those whose
        # result is a list.
        values.update({value.id: made for value in results[:1]})
        if kind == "split":
            values.update({value.id: part for value, part in zip(results, made, strict=True)})
    answers = [_value(_cast(write, values[value.id], TYPES[value.dtype.name]), value) for value in outputs]
    used = [value for value in write.initializers if value.uses()]  # a part's program names the whole network's weights
    nodes = [node for node in write.nodes if node.op_type != "Constant" or node.outputs[0].uses()]
    graph = ir.Graph(inputs, answers, nodes=nodes, initializers=used, opset_imports={"": OPSET}, name="part")
    return ir.Model(graph, ir_version=IR_VERSION)


class Writer(Tape):
    """Writes nodes of an ONNX graph: `write("Add", a, b)`. NumPy's arrays among the inputs become constants."""

    def __call__(self, kind: str, *inputs: ir.Value | np.ndarray | Sequence[int] | None, **attributes: Any) -> ir.Value:
        return self.op(kind, self._all_values(inputs), attributes)

    def several(self, kind: str, outputs: int, *inputs: ir.Value | np.ndarray, **attributes: Any) -> Sequence[ir.Value]:
        return self.op_multi_out(kind, self._all_values(inputs), attributes, num_outputs=outputs)

    def weight(self, name: str, array: np.ndarray) -> ir.Value:
        return self.initializer(ir.tensor(array), name)

    def constant(self, array: np.ndarray) -> ir.Value:
        made = self.op("Constant", [], {"value": ir.tensor(array)})
        made.const_value = ir.tensor(array)  # `_constant` reads it
        return made

    def _all_values(self, inputs: Sequence[Any]) -> list[ir.Value | None]:
        """Python's integers are sizes and places, for which ONNX wants 64 bits. None is an optional input left out."""
        return [
            x
            if x is None or isinstance(x, ir.Value)
            else self.constant(x if isinstance(x, np.ndarray) else np.array(x, np.int64))
            for x in inputs
        ]


OPERATIONS: dict[str, Callable[..., Any]] = {}  # what our networks are made of, and no more


def translates(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def keep(make: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS.update(dict.fromkeys(names, make))
        return make

    return keep


def _as(kind: str) -> Callable[..., ir.Value]:
    return lambda write, said, *inputs: write(kind, *inputs)


for _name, _kind in {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "equal": "Equal",
    "where": "Where",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "sin": "Sin",
    "cos": "Cos",
    "abs": "Abs",
    "exp": "Exp",
    "floor_divide": "Div",  # of places in a grid: of integers, none of them negative
    "remainder": "Mod",
    "gather_nd": "GatherND",
    "shape64": "Shape",
    "unsqueeze": "Unsqueeze",
    "squeeze": "Squeeze",
}.items():
    OPERATIONS[_name] = _as(_kind)


@translates("full")
def full(write: Writer, said: Said) -> ir.Value:
    return write.constant(np.full(said["shape"], said["value"], said["types"][-1]))


@translates("full_like")
def full_like(write: Writer, said: Said, x: ir.Value, value: ir.Value) -> ir.Value:
    return write("Expand", _number(value, said), write("Shape", x))


@translates("assign_value_")
def assign_value(write: Writer, said: Said, _: ir.Value) -> ir.Value:
    return write.constant(np.array(said["values"], said["types"][-1]).reshape(said["shape"]))


@translates("full_int_array")
def full_int_array(write: Writer, said: Said) -> ir.Value:
    return write.constant(np.array(said["value"], np.int64))


@translates("arange")
def arange(write: Writer, said: Said, start: ir.Value, end: ir.Value, step: ir.Value) -> ir.Value:
    return write.constant(np.arange(_item(start), _item(end), _item(step)).astype(said["types"][-1]))


@translates("cast")
def cast(write: Writer, said: Said, x: ir.Value) -> ir.Value:
    return _cast(write, x, said["types"][-1])


@translates("scale")
def scale(write: Writer, said: Said, x: ir.Value, factor: ir.Value) -> ir.Value:
    by, bias = _number(factor, said), np.array(said["bias"], said["types"][-1])
    if said["bias_after_scale"]:
        return write("Add", write("Mul", x, by), bias)
    return write("Mul", write("Add", x, bias), by)


@translates("matmul")
def matmul(write: Writer, said: Said, a: ir.Value, b: ir.Value) -> ir.Value:
    ranks = [len(shape) for shape in said["shapes"]]
    return write(
        "MatMul",
        _swapped(write, a, ranks[0]) if said["transpose_x"] else a,
        _swapped(write, b, ranks[1]) if said["transpose_y"] else b,
    )


@translates("softmax")
def softmax(write: Writer, said: Said, x: ir.Value) -> ir.Value:
    return write("Softmax", x, axis=said["axis"])


@translates("sum")
def sum_(write: Writer, said: Said, x: ir.Value, axes: ir.Value) -> ir.Value:
    return write("ReduceSum", x, axes, keepdims=int(said["keepdim"]))


@translates("mean")
def mean(write: Writer, said: Said, x: ir.Value, axes: ir.Value) -> ir.Value:
    return write("ReduceMean", x, axes, keepdims=int(said["keepdim"]))


@translates("max")
def max_(write: Writer, said: Said, x: ir.Value, axes: ir.Value) -> ir.Value:
    return write("ReduceMax", x, axes, keepdims=int(said["keepdim"]))


@translates("relu6")
def relu6(write: Writer, said: Said, x: ir.Value) -> ir.Value:
    return write("Clip", x, np.array(0, said["types"][-1]), np.array(6, said["types"][-1]))


@translates("gelu")
def gelu(write: Writer, said: Said, x: ir.Value) -> ir.Value:
    return write("Gelu", x, approximate="tanh" if said["approximate"] else "none")


@translates("layer_norm")
def layer_norm(write: Writer, said: Said, x: ir.Value, weight: ir.Value, bias: ir.Value) -> ir.Value:
    return write("LayerNormalization", x, weight, bias, axis=said["begin_norm_axis"], epsilon=said["epsilon"])


@translates("batch_norm_")
def batch_norm(
    write: Writer, said: Said, x: ir.Value, average: ir.Value, variance: ir.Value, weight: ir.Value, bias: ir.Value
) -> ir.Value:
    return write("BatchNormalization", x, weight, bias, average, variance, epsilon=said["epsilon"])


@translates("conv2d", "depthwise_conv2d")
def conv2d(write: Writer, said: Said, x: ir.Value, kernel: ir.Value) -> ir.Value:
    same = {"group": said["groups"], "strides": said["strides"], "dilations": said["dilations"]}
    return write("Conv", x, kernel, pads=_padding(said), **same)


@translates("pool2d")
def pool2d(write: Writer, said: Said, x: ir.Value, kernel: ir.Value) -> ir.Value:
    if said["pooling_type"] != "avg" or said["adaptive"] or said["global_pooling"] or any(said["paddings"]):
        raise ValueError("of Paddle's poolings only the average without padding has a way to ONNX yet")
    return write("AveragePool", x, kernel_shape=_constant(kernel).tolist(), strides=said["strides"])


@translates("bilinear_interp")
def bilinear_interp(write: Writer, said: Said, x: ir.Value, *size: ir.Value | None) -> ir.Value:
    if said["align_corners"] or said["align_mode"] or not said["scale"] or any(size):
        raise ValueError("of Paddle's resizings only that by a factor, with half-pixel centres, has a way to ONNX yet")
    scales = np.array([1, 1, *said["scale"]], np.float32)
    return write("Resize", x, None, scales, mode="linear", coordinate_transformation_mode="half_pixel")


@translates("pad")
def pad(write: Writer, said: Said, x: ir.Value, value: ir.Value) -> ir.Value:
    paddings = said["paddings"]
    return write("Pad", x, [*paddings[::2], *paddings[1::2]], _number(value, said))


@translates("reshape")
def reshape(write: Writer, said: Said, x: ir.Value, shape: Any) -> ir.Value:
    result = said["shapes"][-1]
    return write("Reshape", x, result if result.count(-1) < 2 else _vector(write, shape))


@translates("transpose")
def transpose(write: Writer, said: Said, x: ir.Value) -> ir.Value:
    return write("Transpose", x, perm=said["perm"])


@translates("flatten")
def flatten(write: Writer, said: Said, x: ir.Value) -> ir.Value:
    start, stop = (axis % len(said["shapes"][0]) for axis in (said["start_axis"], said["stop_axis"]))
    tail = write("Shape", x, start=stop + 1)
    return write("Reshape", x, write("Concat", [*[0] * start, -1], tail, axis=0))  # 0: as it was


@translates("slice")
def slice_(write: Writer, said: Said, x: ir.Value, starts: Any, ends: Any) -> ir.Value:
    y = write("Slice", x, _vector(write, starts), _vector(write, ends), said["axes"])
    return write("Squeeze", y, said["decrease_axis"]) if said["decrease_axis"] else y


@translates("expand")
def expand(write: Writer, said: Said, x: ir.Value, shape: Any) -> ir.Value:
    return write("Expand", x, write("Max", _vector(write, shape), [1]))  # -1 is what it was


@translates("gather")
def gather(write: Writer, said: Said, x: ir.Value, indices: ir.Value, axis: ir.Value) -> ir.Value:
    return write("Gather", x, indices, axis=_integer(axis))


@translates("combine")
def combine(write: Writer, said: Said, *parts: ir.Value) -> Sequence[ir.Value]:
    return parts


@translates("split")
def split(write: Writer, said: Said, parts: Sequence[ir.Value]) -> Sequence[ir.Value]:
    return parts


@translates("concat")
def concat(write: Writer, said: Said, parts: Sequence[ir.Value], axis: ir.Value) -> ir.Value:
    return write("Concat", *parts, axis=_integer(axis))


@translates("stack")
def stack(write: Writer, said: Said, parts: Sequence[ir.Value]) -> ir.Value:
    return write("Concat", *(write("Unsqueeze", part, [said["axis"]]) for part in parts), axis=said["axis"])


@translates("split_with_num")
def split_with_num(write: Writer, said: Said, x: ir.Value, axis: ir.Value) -> Sequence[ir.Value]:
    return write.several("Split", said["num"], x, axis=_integer(axis), num_outputs=said["num"])


@translates("unbind")
def unbind(write: Writer, said: Said, x: ir.Value) -> Sequence[ir.Value]:
    axis = said["axis"]
    number = said["shapes"][0][axis]
    parts = write.several("Split", number, x, axis=axis, num_outputs=number)
    return [write("Squeeze", part, [axis]) for part in parts]


def _given(value: Any, values: Mapping[str, Any]) -> Any:
    """Our value for one of Paddle's; None for an optional operand that is absent."""
    return values[value.id] if value.initialized() else None


def _said(operation: Any, types: Mapping[str, Any]) -> Said:
    values = [*operation.operands_source(), *operation.results()[:1]]
    # Nothing of a list of tensors, nor of an absent operand.
    tensors = [value if value.initialized() and value.is_dense_tensor_type() else None for value in values]
    return {
        **operation.attrs(),
        "shapes": [[] if value is None else list(value.shape) for value in tensors],
        "types": [None if value is None else types[value.dtype.name] for value in tensors],
    }


def _cast(write: Writer, x: ir.Value, to: Any) -> ir.Value:
    return write("Cast", x, to=ir.DataType.from_numpy(np.dtype(to)))


def _value(ours: ir.Value, paddle_s: Any) -> ir.Value:
    """Ours, with the type and the shape of Paddle's; None is an unknown size."""
    ours.dtype = ir.DataType.from_numpy(np.dtype(TYPES[paddle_s.dtype.name]))
    ours.shape = ir.Shape([None if size < 0 else size for size in paddle_s.shape])
    return ours


def _padding(said: Said) -> list[int]:
    """Before each axis, then after each."""
    if said["padding_algorithm"] != "EXPLICIT":
        raise ValueError(f"there is no way from Paddle's padding {said['padding_algorithm']} to ONNX yet")
    paddings = list(said["paddings"])
    return paddings * 2 if len(paddings) == 2 else [*paddings[::2], *paddings[1::2]]


def _swapped(write: Writer, x: ir.Value, rank: int) -> ir.Value:
    """The last two axes."""
    return write("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])


def _vector(write: Writer, x: ir.Value | Sequence[ir.Value]) -> ir.Value:
    """Integers as Paddle gives them, a vector or a list of scalars."""
    if isinstance(x, ir.Value):
        return x
    return write("Concat", *(write("Reshape", part, [1]) for part in x), axis=0)


def _number(x: ir.Value, said: Said) -> np.ndarray:
    """A constant's one number, in the type of the result."""
    return np.array(_item(x), said["types"][-1])


def _integer(x: ir.Value) -> int:
    return int(_item(x))


def _item(x: ir.Value) -> Any:
    return _constant(x).item()


def _constant(x: ir.Value) -> np.ndarray:
    if x.const_value is None:
        raise ValueError("there is no way to ONNX for a number that is computed")
    return x.const_value.numpy()

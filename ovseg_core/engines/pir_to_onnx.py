"""Translate Paddle's programs (PIR) to ONNX models, so that one definition of a network runs on every engine.

paddle2onnx writes an empty file for weights beyond 2 GB, and OpenVINO's own frontend reads only programs of Paddle 2.
`onnx_operations` has each operation that our networks use; any other raises ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ovseg_core.engines.onnx_operations import OPERATIONS, Attributes
from ovseg_core.engines.onnx_writer import Writer

OPSET = 20  # the first version with Gelu
IR_VERSION = 9  # the first version with this opset

TYPES = {
    "BOOL": np.bool_,
    "INT32": np.int32,
    "INT64": np.int64,
    "FLOAT32": np.float32,
    "FLOAT64": np.float64,
}

Weights = Mapping[str, tuple[str, np.ndarray]]  # Paddle's name of a parameter -> our name of it, and its array


def translated(program: Any, outputs: Sequence[Any], weights: Weights, precision: str) -> ir.Model:
    """Translate a program to a model with the same inputs in the same order, and with `outputs`, values of the program.

    The model's initialisers are only the weights that the program uses; other constants are nodes. With the precision
    "float16", what is float32 in the program is float16 in the model, except inputs and outputs: the CPU build of
    Paddle cannot trace a float16 program.

    Raises ValueError for an unknown operation.
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
            made = write.cast(inputs[-1], types[results[0].dtype.name])
        elif kind in OPERATIONS:
            made = OPERATIONS[kind](write, _attributes(operation, types), *(_given(value, values) for value in given))
        else:
            raise ValueError(f"Paddle's operation {kind} cannot be translated to ONNX yet")
        # If an operation has several results, only the first is used (the statistics of a norm are for training),
        # except if its result is a list.
        values.update({value.id: made for value in results[:1]})
        if kind == "split":
            values.update({value.id: part for value, part in zip(results, made, strict=True)})
    answers = [_value(write.cast(values[value.id], TYPES[value.dtype.name]), value) for value in outputs]
    # the program of one part lists the weights of the whole network
    used = [value for value in write.initializers if value.uses()]
    nodes = [node for node in write.nodes if node.op_type != "Constant" or node.outputs[0].uses()]
    graph = ir.Graph(inputs, answers, nodes=nodes, initializers=used, opset_imports={"": OPSET}, name="part")
    return ir.Model(graph, ir_version=IR_VERSION)


def _given(value: Any, values: Mapping[str, Any]) -> Any:
    """Return our value for one of Paddle's values, or None for an optional operand that is absent."""
    return values[value.id] if value.initialized() else None


def _attributes(operation: Any, types: Mapping[str, Any]) -> Attributes:
    values = [*operation.operands_source(), *operation.results()[:1]]
    # None for a list of tensors and for an absent operand
    tensors = [value if value.initialized() and value.is_dense_tensor_type() else None for value in values]
    return {
        **operation.attrs(),
        "shapes": [[] if value is None else list(value.shape) for value in tensors],
        "types": [None if value is None else types[value.dtype.name] for value in tensors],
    }


def _value(ours: ir.Value, paddle_s: Any) -> ir.Value:
    """Give our value the type and the shape of Paddle's value; None is an unknown size."""
    ours.dtype = ir.DataType.from_numpy(np.dtype(TYPES[paddle_s.dtype.name]))
    ours.shape = ir.Shape([None if size < 0 else size for size in paddle_s.shape])
    return ours

"""Paddle's programs (PIR) as ONNX models: one definition of a network for every engine.

paddle2onnx writes an empty file for weights beyond 2 GB, and OpenVINO's own frontend reads the programs of Paddle 2
only. Here each operation that our networks use is in `onnx_operations`; one that is not is a ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ovseg_core.engines.onnx_operations import OPERATIONS, Attributes
from ovseg_core.engines.onnx_writer import Writer

OPSET = 20  # the first with Gelu
IR_VERSION = 9  # the first that has this opset

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
            made = write.cast(inputs[-1], types[results[0].dtype.name])
        elif kind in OPERATIONS:
            made = OPERATIONS[kind](write, _attributes(operation, types), *(_given(value, values) for value in given))
        else:
            raise ValueError(f"there is no way from Paddle's operation {kind} to ONNX yet")
        # Operations of several results have one that counts (a norm's statistics are training's), but for those whose
        # result is a list.
        values.update({value.id: made for value in results[:1]})
        if kind == "split":
            values.update({value.id: part for value, part in zip(results, made, strict=True)})
    answers = [_value(write.cast(values[value.id], TYPES[value.dtype.name]), value) for value in outputs]
    used = [value for value in write.initializers if value.uses()]  # a part's program names the whole network's weights
    nodes = [node for node in write.nodes if node.op_type != "Constant" or node.outputs[0].uses()]
    graph = ir.Graph(inputs, answers, nodes=nodes, initializers=used, opset_imports={"": OPSET}, name="part")
    return ir.Model(graph, ir_version=IR_VERSION)


def _given(value: Any, values: Mapping[str, Any]) -> Any:
    """Our value for one of Paddle's; None for an optional operand that is absent."""
    return values[value.id] if value.initialized() else None


def _attributes(operation: Any, types: Mapping[str, Any]) -> Attributes:
    values = [*operation.operands_source(), *operation.results()[:1]]
    # Nothing of a list of tensors, nor of an absent operand.
    tensors = [value if value.initialized() and value.is_dense_tensor_type() else None for value in values]
    return {
        **operation.attrs(),
        "shapes": [[] if value is None else list(value.shape) for value in tensors],
        "types": [None if value is None else types[value.dtype.name] for value in tensors],
    }


def _value(ours: ir.Value, paddle_s: Any) -> ir.Value:
    """Ours, with the type and the shape of Paddle's; None is an unknown size."""
    ours.dtype = ir.DataType.from_numpy(np.dtype(TYPES[paddle_s.dtype.name]))
    ours.shape = ir.Shape([None if size < 0 else size for size in paddle_s.shape])
    return ours

"""Translate Paddle's programs (PIR) to ONNX models, so that a network is defined once for all engines.

paddle2onnx writes an empty file if the weights exceed 2 GB, and OpenVINO's own frontend reads only the programs of
Paddle 2. `onnx_operations` translates the operations that our networks use, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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


class Parameter(NamedTuple):
    """A parameter of a network: its name there, its array, and whether checkpoints have it."""

    name: str
    array: np.ndarray
    is_in_checkpoints: bool


Parameters = Mapping[str, Parameter]  # by the name of a parameter in the program


def translated(program: Any, outputs: Sequence[Any], parameters: Parameters, precision: str) -> ir.Model:
    """Translate a program to a model with the same inputs in the same order.

    The initialisers of the model are the parameters that checkpoints have and the program uses, and nothing else. Other
    constants are nodes, such as those that depend on the size of the image. So translations for several sizes have the
    same initialisers.

    Args:
        program: Paddle's.
        outputs: the values of the program that become the model's outputs.
        parameters: those of the network.
        precision: "float32" or "float16". In "float16", all float32 values of the program become float16, except inputs
            and outputs. The program itself is in float32, because the CPU build of Paddle cannot trace a float16 one.

    Raises ValueError for an operation that `onnx_operations` does not translate.
    """
    write = Writer()
    types = TYPES | {"FLOAT32": np.dtype(precision).type}
    values: dict[str, Any] = {}
    inputs = []
    for operation in program.global_block().ops:
        kind = operation.name().removeprefix("pd_op.").removeprefix("builtin.")
        operands, results = operation.operands_source(), operation.results()
        if kind == "parameter":
            parameter = parameters[operation.attrs()["parameter_name"]]
            array: np.ndarray = parameter.array.astype(types[results[0].dtype.name], copy=False)
            is_weight = parameter.is_in_checkpoints
            translation: Any = write.weight(parameter.name, array) if is_weight else write.constant(array)
        elif kind == "data":
            inputs.append(_typed(ir.Value(name=operation.attrs()["name"]), results[0]))
            translation = write.cast(inputs[-1], types[results[0].dtype.name])
        elif kind in OPERATIONS:
            attributes = _attributes(operation, types)
            translation = OPERATIONS[kind](write, attributes, *(_operand(value, values) for value in operands))
        else:
            raise ValueError(f"Paddle's operation {kind} cannot be translated to ONNX yet")
        # Only the first of several results is used: the others, such as statistics of a norm, are for training. A
        # split is an exception: its results are the parts.
        values.update({value.id: translation for value in results[:1]})
        if kind == "split":
            values.update({value.id: part for value, part in zip(results, translation, strict=True)})
    typed_outputs = [_typed(write.cast(values[value.id], TYPES[value.dtype.name]), value) for value in outputs]
    # The program of a part lists all parameters of the network.
    used = [value for value in write.initializers if value.uses()]
    nodes = [node for node in write.nodes if node.op_type != "Constant" or node.outputs[0].uses()]
    graph = ir.Graph(inputs, typed_outputs, nodes=nodes, initializers=used, opset_imports={"": OPSET}, name="part")
    return ir.Model(graph, ir_version=IR_VERSION)


def _operand(value: Any, values: Mapping[str, Any]) -> Any:
    """Return our value for an operand of Paddle's; None for an optional operand that is absent."""
    return values[value.id] if value.initialized() else None


def _attributes(operation: Any, types: Mapping[str, Any]) -> Attributes:
    """Return the attributes of an operation, with the shapes and types of its operands and its first result."""
    values = [*operation.operands_source(), *operation.results()[:1]]
    # None for a list of tensors and for an absent operand
    tensors = [value if value.initialized() and value.is_dense_tensor_type() else None for value in values]
    return {
        **operation.attrs(),
        "shapes": [[] if value is None else list(value.shape) for value in tensors],
        "types": [None if value is None else types[value.dtype.name] for value in tensors],
    }


def _typed(value: ir.Value, of_paddle: Any) -> ir.Value:
    """Set the type and the shape of a value to those of Paddle's value, and return it. None is an unknown size."""
    value.dtype = ir.DataType.from_numpy(np.dtype(TYPES[of_paddle.dtype.name]))
    value.shape = ir.Shape([None if size < 0 else size for size in of_paddle.shape])
    return value

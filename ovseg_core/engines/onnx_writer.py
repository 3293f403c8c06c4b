"""Writes the nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape


class Writer(Tape):
    """`write("Add", a, b)` adds a node and returns its result. NumPy's arrays among the inputs become constants."""

    def __call__(self, kind: str, *inputs: ir.Value | np.ndarray | Sequence[int] | None, **attributes: Any) -> ir.Value:
        return self.op(kind, self._all_values(inputs), attributes)

    def several(self, kind: str, outputs: int, *inputs: ir.Value | np.ndarray, **attributes: Any) -> Sequence[ir.Value]:
        return self.op_multi_out(kind, self._all_values(inputs), attributes, num_outputs=outputs)

    def weight(self, name: str, array: np.ndarray) -> ir.Value:
        return self.initializer(ir.tensor(array), name)

    def constant(self, array: np.ndarray) -> ir.Value:
        made = self.op("Constant", [], {"value": ir.tensor(array)})
        made.const_value = ir.tensor(array)  # for operations that need the numbers to be translated
        return made

    def cast(self, x: ir.Value, to: Any) -> ir.Value:
        """To one of NumPy's types."""
        return self("Cast", x, to=ir.DataType.from_numpy(np.dtype(to)))

    def _all_values(self, inputs: Sequence[Any]) -> list[ir.Value | None]:
        """Python's integers are sizes and places, for which ONNX wants 64 bits. None is an optional input left out."""
        return [
            x
            if x is None or isinstance(x, ir.Value)
            else self.constant(x if isinstance(x, np.ndarray) else np.array(x, np.int64))
            for x in inputs
        ]

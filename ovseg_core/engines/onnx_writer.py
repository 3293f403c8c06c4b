"""Write the nodes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.tape import Tape


class Writer(Tape):
    """`write("Add", a, b)` adds a node and returns its result.

    An input may be a value, a NumPy array or a sequence of integers, both of which become constants, or None for an
    optional input that is left out.
    """

    def __call__(self, kind: str, *inputs: ir.Value | np.ndarray | Sequence[int] | None, **attributes: Any) -> ir.Value:
        return self.op(kind, self._all_values(inputs), attributes)

    def several(self, kind: str, outputs: int, *inputs: ir.Value | np.ndarray, **attributes: Any) -> Sequence[ir.Value]:
        """Add a node with a number of outputs and return these."""
        return self.op_multi_out(kind, self._all_values(inputs), attributes, num_outputs=outputs)

    def weight(self, name: str, array: np.ndarray) -> ir.Value:
        """Add a weight, which becomes an initialiser of the graph."""
        return self.initializer(ir.tensor(array), name)

    def constant(self, array: np.ndarray) -> ir.Value:
        """Add a constant as a node."""
        constant = self.op("Constant", [], {"value": ir.tensor(array)})
        constant.const_value = ir.tensor(array)  # the translation of some operations needs the numbers
        return constant

    def cast(self, x: ir.Value, to: Any) -> ir.Value:
        """Cast a value to a NumPy type."""
        return self("Cast", x, to=ir.DataType.from_numpy(np.dtype(to)))

    def _all_values(self, inputs: Sequence[Any]) -> list[ir.Value | None]:
        """Convert inputs to values. Integers of Python are sizes and indices, for which ONNX requires 64 bits."""
        return [
            x
            if x is None or isinstance(x, ir.Value)
            else self.constant(x if isinstance(x, np.ndarray) else np.array(x, np.int64))
            for x in inputs
        ]

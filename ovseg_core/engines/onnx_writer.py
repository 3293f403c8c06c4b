"""Write the nodes of an ONNX graph."""

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
        made.const_value = ir.tensor(array)  # some operations can be translated only if they know a constant's numbers
        return made

    def cast(self, x: ir.Value, to: Any) -> ir.Value:
        """Cast to one of NumPy's types."""
        return self("Cast", x, to=ir.DataType.from_numpy(np.dtype(to)))

    def _all_values(self, inputs: Sequence[Any]) -> list[ir.Value | None]:
        """Return the values of an operation's inputs.

        Python's integers are sizes and indices, for which ONNX requires 64 bits. None is an optional input that is left
        out.
        """
        return [
            x
            if x is None or isinstance(x, ir.Value)
            else self.constant(x if isinstance(x, np.ndarray) else np.array(x, np.int64))
            for x in inputs
        ]

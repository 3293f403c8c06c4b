"""Run parts on OpenVINO, the fast engine on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from ovseg_core.engines import cpu_flags, int8, onnx_files
from ovseg_core.engines.parts import Parts, Runner

# for int8: the precision of the operations that are not quantized
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


def options(hint: str) -> dict[str, Any]:
    """Return options to compile for the CPU cores that this process may use.

    The precision is set explicitly, because OpenVINO itself chooses bfloat16 on a CPU that supports it.
    """
    return {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0))}


def precisions() -> tuple[str, ...]:
    """Return the precisions of this CPU: float32, and bfloat16 if it has AMX or AVX512-BF16.

    OpenVINO's own list is not sufficient: it includes emulated precisions, which take twice the time of float32.
    """
    is_native = cpu_flags.has_any(cpu_flags.BFLOAT16)
    has_bfloat16 = is_native and "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("float32", "bfloat16") if has_bfloat16 else ("float32",)


def runners(
    name: str, weights: Path, load: Callable[[], Parts], precision: str, graphs: Path | None = None
) -> dict[str, Runner]:
    """Return the parts of a network in this precision.

    "int8" is only for `encode`, and `prompts` is always in float32. `load` and `graphs` are as for `onnx_files.paths`.

    Raises what `onnx_files.paths` raises, and ValueError as `int8.read`.
    """
    core, hint = ov.Core(), HINTS[precision]
    paths = onnx_files.paths(name, weights, load, graphs=graphs)
    read = {part: partial(core.read_model, path) for part, path in paths.items()}
    in_float32 = read.pop("encode")
    encode = in_float32 if precision != "int8" else lambda: int8.read(core, weights, in_float32())
    hints = dict.fromkeys(read, hint) | {"prompts": HINTS["float32"]}
    return {"encode": _Encoder(core, encode, hint)} | {
        part: _LazyGraph(core, graph, hints[part]) for part, graph in read.items()
    }


def encoder_graph(name: str, weights: Path, load: Callable[[], Parts], graphs: Path | None = None) -> ov.Model:
    """Return the graph of a network's `encode` that `runners` uses for float32."""
    return ov.Core().read_model(onnx_files.paths(name, weights, load, graphs=graphs)["encode"])


class Compiled:
    """A compiled graph. Only one thread at a time may call it.

    OpenVINO's own call does the same, but takes a third of a millisecond to inspect its inputs.
    """

    def __init__(self, model: ov.CompiledModel) -> None:
        self._request = model.create_infer_request()
        self._outputs = range(len(model.outputs))

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run the graph. The inputs have the graph's types; the outputs are in OpenVINO's memory, which the next call
        overwrites.
        """
        arrays = [np.ascontiguousarray(array) for array in given]  # a tensor does not keep its array alive
        for i, array in enumerate(arrays):
            self._request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
        self._request.infer()
        return tuple(self._request.get_output_tensor(i).data for i in self._outputs)


class _LazyGraph:
    """A graph that is compiled on the first call: most processes never use the part that refines masks.

    Its weights are mapped from the file.
    """

    def __init__(self, core: ov.Core, read: Callable[[], ov.Model], hint: str) -> None:
        self._core, self._read, self._hint = core, read, hint

    @cached_property
    def _run(self) -> Compiled:
        return Compiled(self._core.compile_model(self._graph(), "CPU", options(self._hint)))

    def _graph(self) -> ov.Model:
        return self._read()

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(output.copy() for output in self._run(*given))


class _Encoder(_LazyGraph):
    """A graph that is compiled for one image, and called for the images of a batch one after the other.

    OpenVINO fuses attention if it knows all shapes, which is a tenth faster. A batch saves nothing on a CPU.
    """

    def _graph(self) -> ov.Model:
        model = super()._graph()
        [given] = model.inputs
        model.reshape([1, *given.partial_shape[1:]])
        return model

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, ...]:
        [canvases] = given
        answers: list[np.ndarray] = []
        for i, canvas in enumerate(canvases):
            outputs = self._run(canvas[None])
            if i == 0:
                answers = [np.empty((len(canvases), *output.shape[1:]), output.dtype) for output in outputs]
            for answer, output in zip(answers, outputs, strict=True):
                answer[i] = output[0]
        return tuple(answers)

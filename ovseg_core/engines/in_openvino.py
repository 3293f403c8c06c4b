"""OpenVINO, the fastest engine on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino._offline_transformations import apply_moc_transformations

from ovseg_core.engines import cpu_flags, int8, onnx_files
from ovseg_core.engines.parts import Parts, Runner

# `locate` scores the candidates of a click: in bfloat16 it chose others, and clicks had a mean IoU of 0.977 with those
# of float32, instead of 0.983 (164 things).
IN_FLOAT32 = ("prompts", "locate")
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}  # for int8, of the layers that are not quantized


def _options(hint: str) -> dict[str, Any]:
    """Return options for the CPU cores that this process may use.

    The hint is always given, because OpenVINO's default is bfloat16 on a CPU that supports it.
    """
    return {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0))}


def precisions() -> tuple[str, ...]:
    """Return the precisions that this CPU supports: float32, and bfloat16 if it has AMX or AVX512-BF16.

    What OpenVINO reports is not enough, because it includes emulated bfloat16, which takes twice the time of float32.
    """
    is_native = cpu_flags.has_any(cpu_flags.BFLOAT16)
    has_bfloat16 = is_native and "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("float32", "bfloat16") if has_bfloat16 else ("float32",)


def runners(
    name: str, weights: Path, load: Callable[[], Parts], precision: str, graphs: Path | None = None
) -> dict[str, Runner]:
    """Return the parts of a network on the CPU.

    All parts run in `precision`, with two exceptions: in "int8", the parts other than `encode` run in float32, and the
    parts in `IN_FLOAT32` always do. A network may have no `encode`. For `load` and `graphs` see `onnx_files.paths`.

    Raises what `onnx_files.paths` raises. In "int8", the first call of `encode` raises what `int8.read` raises.
    """
    core, hint = ov.Core(), HINTS[precision]
    paths = onnx_files.paths(name, weights, load, graphs=graphs)
    readers = {part: partial(core.read_model, path) for part, path in paths.items()}
    hints = dict.fromkeys(readers, hint) | dict.fromkeys(IN_FLOAT32, HINTS["float32"])
    found: dict[str, Runner] = {part: _LazyGraph(core, read, hints[part]) for part, read in readers.items()}
    if "encode" in readers:
        in_float32 = readers["encode"]
        encode = in_float32 if precision != "int8" else lambda: int8.read(core, weights, in_float32())
        found["encode"] = _Encoder(core, encode, hint)
    return found


def encoder_graph(name: str, weights: Path, load: Callable[[], Parts], graphs: Path | None = None) -> ov.Model:
    """Return the graph of a network's `encode` in float32. For the arguments see `onnx_files.paths`.

    Its constants are folded and its limits are clamps, as OpenVINO does it in `compile_model` too. In a graph that is
    only read, the weights of depthwise convolutions are computed from constants, and NNCF does not store them as int8.
    `ov.convert_model` would do the same, and report it to Intel.
    """
    graph = ov.Core().read_model(onnx_files.paths(name, weights, load, graphs=graphs)["encode"])
    apply_moc_transformations(graph, cf=True)
    return graph


class _Compiled:
    """A compiled graph. Only one thread at a time may call it.

    Calling an `ov.CompiledModel` does the same, but spends a third of a millisecond on checking its arguments.
    """

    def __init__(self, model: ov.CompiledModel) -> None:
        self._request = model.create_infer_request()
        self._outputs = range(len(model.outputs))

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run the graph. The inputs have its types; the outputs are in memory that the next call overwrites."""
        # Kept in a list until the graph has run, because a tensor does not keep its array alive
        arrays = [np.ascontiguousarray(array) for array in inputs]
        for i, array in enumerate(arrays):
            self._request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
        self._request.infer()
        return tuple(self._request.get_output_tensor(i).data for i in self._outputs)


class _LazyGraph:
    """A graph that is read and compiled by its first call, because most processes never use the part that refines
    masks. Its weights are mapped from the file."""

    def __init__(self, core: ov.Core, read: Callable[[], ov.Model], hint: str) -> None:
        self._core, self._read, self._hint = core, read, hint

    @cached_property
    def _run(self) -> _Compiled:
        return _Compiled(self._core.compile_model(self._graph(), "CPU", _options(self._hint)))

    def _graph(self) -> ov.Model:
        return self._read()

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(output.copy() for output in self._run(*inputs))


class _Encoder(_LazyGraph):
    """An image encoder, compiled for one image and called once for each image of a batch.

    OpenVINO fuses attention if all shapes are known, and is then a tenth faster. A batch saves nothing on a CPU.
    """

    def _graph(self) -> ov.Model:
        model = super()._graph()
        [canvases] = model.inputs
        model.reshape([1, *canvases.partial_shape[1:]])
        return model

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        [canvases] = inputs
        features: list[np.ndarray] = []
        for i, canvas in enumerate(canvases):
            outputs = self._run(canvas[None])
            if i == 0:
                features = [np.empty((len(canvases), *output.shape[1:]), output.dtype) for output in outputs]
            for feature, output in zip(features, outputs, strict=True):
                feature[i] = output[0]
        return tuple(features)

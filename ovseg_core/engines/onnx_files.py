"""The parts of a network as ONNX models on disk, which OpenVINO and ONNX Runtime read."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

from ovseg_core.engines import cache
from ovseg_core.engines.parts import Parts

log = logging.getLogger(__name__)


def paths(name: str, weights: Path, load: Callable[[], Parts], precision: str = "float32") -> dict[str, Path]:
    """Each part's file, `encode` in "float32" or "float16". `load` makes the parts in Paddle from the weights, and is
    called only where no process has translated this file before.

    Raises what `load` raises, and ValueError for an operation that has no translation.
    """
    called = name if precision == "float32" else f"{name}-{precision}"
    folder = cache.folder(called, weights, lambda to: _translate(name, load(), to, precision))
    return {path.stem: path for path in folder.glob("*.onnx")}


def _translate(name: str, parts: Parts, to: Path, precision: str) -> None:
    import onnx_ir as ir

    from ovseg_core.engines.pir_to_onnx import translated
    from ovseg_core.quiet_paddle import paddle

    log.info("translating %s to ONNX, once", name)
    weights = {tensor.name: tensor.numpy() for tensor in (*parts.parameters(), *parts.buffers())}
    for part, shapes in parts.shapes().items():
        specs = [paddle.static.InputSpec(list(shape), "float32", f"given{i}") for i, shape in enumerate(shapes)]
        with warnings.catch_warnings():  # Paddle's own code asks graphs for what they do not have, and warns of it
            warnings.simplefilter("ignore", UserWarning)
            traced = paddle.jit.to_static(getattr(parts, part), input_spec=specs, full_graph=True).concrete_program
        in_what = precision if part == "encode" else "float32"
        model = translated(traced.main_program, traced.outputs, weights, in_what)
        ir.save(model, to / f"{part}.onnx", external_data=f"{part}.weights")  # which an .onnx of 2 GB could not hold

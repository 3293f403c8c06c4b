"""The parts of a network as ONNX files, which OpenVINO and ONNX Runtime read."""

from __future__ import annotations

import importlib.metadata
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

from ovseg_core import digests
from ovseg_core.engines import cache, shipped
from ovseg_core.engines.parts import Parts

log = logging.getLogger(__name__)

# With all that they import: the code of every network, the engines, the checkpoints
SOURCES = ("ovseg_core.networks", "ovseg_core.detectors")
# The packages that write and read translations. Paddle and ONNX Runtime have two builds with different names.
PACKAGES = ("onnx", "onnx-ir", "onnxruntime", "onnxruntime-gpu", "paddlepaddle", "paddlepaddle-gpu")


def paths(
    name: str, weights: Path, load: Callable[[], Parts], precision: str = "float32", graphs: Path | None = None
) -> dict[str, Path]:
    """Return the path of each part's file. The files are written once for all processes of a machine.

    Args:
        name: of the network.
        weights: a file.
        load: makes the parts in Paddle from the weights. It is called only if no process has translated these weights
            before, and never if the shipped `graphs` are used.
        precision: "float32" or "float16", of `encode`. The other parts are in float32.
        graphs: the folder of the network's shipped graphs, or None. They are used in "float32": only the weights have
            to be written next to them. See `shipped`.

    Raises what `load` raises, and ValueError if the weights do not fit or an operation cannot be translated.
    """
    if graphs is not None and precision == "float32":
        folder = cache.folder(name, weights, shipped.digest(graphs), lambda to: shipped.fill(graphs, name, weights, to))
    else:
        cache_name = name if precision == "float32" else f"{name}-{precision}"
        folder = cache.folder(cache_name, weights, _code(), lambda to: _translate(name, load(), to, precision))
    return {path.stem: path for path in folder.glob("*.onnx")}


def _translate(name: str, parts: Parts, to: Path, precision: str) -> None:
    log.info("%s: translating it to ONNX for the cache", name)
    translate(parts, to, precision)


def translate(parts: Parts, to: Path, precision: str = "float32") -> None:
    """Write `PART.onnx` and `PART.weights` of each part into a folder.

    `precision` ("float32" or "float16") is that of `encode`; the other parts are in float32.

    Raises ValueError if an operation cannot be translated.
    """
    import onnx_ir as ir

    from ovseg_core.engines.pir_to_onnx import Parameter, translated
    from ovseg_core.quiet_paddle import paddle

    named, saved = (*parts.named_parameters(), *parts.named_buffers()), parts.state_dict().keys()
    parameters = {tensor.name: Parameter(name, tensor.numpy(), name in saved) for name, tensor in named}
    for part, shapes in parts.shapes().items():
        specs = [paddle.static.InputSpec(list(shape), "float32", f"given{i}") for i, shape in enumerate(shapes)]
        with warnings.catch_warnings():  # Paddle's own code reads attributes that graphs lack, and warns
            warnings.simplefilter("ignore", UserWarning)
            traced = paddle.jit.to_static(getattr(parts, part), input_spec=specs, full_graph=True).concrete_program
        part_precision = precision if part == "encode" else "float32"
        model = translated(traced.main_program, traced.outputs, parameters, part_precision)
        # All weights go into a separate file: an .onnx file cannot hold 2 GB, and a shipped one must not hold weights.
        ir.save(model, to / f"{part}.onnx", external_data=f"{part}.weights", size_threshold_bytes=0)


def _code() -> str:
    """Return a digest of our code, and the versions of the packages that write and read translations."""
    return " ".join([digests.of_code(*SOURCES), *map(_version, PACKAGES)])


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return ""

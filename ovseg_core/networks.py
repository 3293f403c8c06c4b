"""The table of networks by name, and the choice of the engine and the precision for a network on a device.

The gateway may import this module: it loads neither NumPy nor an engine.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import devices, extras
from ovseg_core.efficientvit_sam import family as efficientvit_sam
from ovseg_core.family import Family
from ovseg_core.lite import family as lite
from ovseg_core.paddle_inference import family as paddle_inference
from ovseg_core.sam import family as sam
from ovseg_core.sam2 import family as sam2
from ovseg_core.sam_hq import family as sam_hq

if TYPE_CHECKING:
    from ovseg_core.network import Network

# The keys are the names that the registry of models uses.
NETWORKS: dict[str, Family] = {
    **lite.NETWORKS,
    **sam.NETWORKS,
    **sam_hq.NETWORKS,
    **efficientvit_sam.NETWORKS,
    **sam2.NETWORKS,
    **paddle_inference.NETWORKS,
}

ENGINES = ("auto", "openvino", "onnxruntime", "paddle")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")


def choose_engine(name: str, device: str, engine: str = "auto") -> str:
    """Return the engine for a network on a device: the requested one, or the first of `engines` for "auto".

    Raises ValueError if the requested engine does not exist, is not installed or cannot run the network there.
    """
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; available: {', '.join(ENGINES)}")
    usable = engines(name, device)
    if engine != "auto" and engine not in usable:
        raise ValueError(f"the engine {engine} {_why_not(name, device, engine)}")
    return usable[0] if engine == "auto" else engine


def engines(name: str, device: str) -> tuple[str, ...]:
    """Return the installed engines that can run a network on a device; on a CPU the fastest is first.

    On a GPU Paddle is first: ONNX Runtime has not been measured there yet.
    """
    installed = [engine for engine in NETWORKS[name].engines if is_installed(engine)]
    if device == "cpu":
        return tuple(installed)
    if device.startswith("gpu") and "onnxruntime" in installed and _onnxruntime_has_cuda():
        return "paddle", "onnxruntime"
    return ("paddle",)


def _onnxruntime_has_cuda() -> bool:
    from ovseg_core.engines import in_onnxruntime  # here, because a worker that does not use it need not load it

    return in_onnxruntime.has_cuda()


def _why_not(name: str, device: str, engine: str) -> str:
    extra = "onnxruntime-gpu" if engine == "onnxruntime" and device.startswith("gpu") else engine
    install = f"; {extras.how_to_install(extra)}"
    if not is_installed(engine):
        return "is not installed" + install
    needs_other_build = engine in NETWORKS[name].engines and extra != engine
    return f"cannot run {name} on {device}" + install * needs_other_build


def is_installed(engine: str) -> bool:
    """True if the package of the engine is installed. It is always true for "paddle" and "auto"."""
    return engine in ("auto", "paddle") or importlib.util.find_spec(engine) is not None


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load a network with its weights, ready for inference.

    Args:
        name: one of NETWORKS.
        weights: a file; a folder if the network's row has an `index_file`.
        device: "cpu", "gpu:0" or another of `devices`.
        engine: one that `choose_engine` returned for this network and device.
        precision: one of `precisions`, or "auto". The network decides which of its parts use it, see `sam.family.load`.

    Raises:
        ValueError: the weights do not fit the network, this machine or this build of Paddle has no such device, or the
            engine does not support the precision there.
    """
    precision = choose_precision(name, weights, device, engine, precision)
    if engine == "paddle":
        devices.use(device)
    return NETWORKS[name].load(name, weights, device, engine, precision)


def precisions(name: str, weights: Path, device: str, engine: str) -> tuple[str, ...]:
    """Return the precisions in which a network with these weights can run, on this device and engine."""
    if engine == "openvino":
        from ovseg_core.engines import in_openvino, int8

        floats = in_openvino.precisions()
        return (*floats, "int8") if int8.path(weights).is_file() and int8.is_supported() else floats
    return ("float32",) if device == "cpu" else ("float32", *NETWORKS[name].half_precisions.get(engine, ()))


def choose_precision(name: str, weights: Path, device: str, engine: str, precision: str = "auto") -> str:
    """Return the requested precision; for "auto", bfloat16 on a CPU that supports it and float32 otherwise.

    bfloat16 was measured on CPUs: nearly the same masks in half of the time or less. On GPUs it has not been measured
    yet.

    Raises ValueError if the precision does not exist, or the network cannot run in it there.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}; available: {', '.join(PRECISIONS)}")
    usable = precisions(name, weights, device, engine)
    if precision == "auto":
        return "bfloat16" if device == "cpu" and "bfloat16" in usable else "float32"
    if precision not in usable:
        message = f"{name} on {device} ({engine}) runs in {' or '.join(usable)}, not in {precision}"
        needs = "; int8 needs OpenVINO, a CPU with VNNI, and the file that `ovseg models quantize` writes"
        raise ValueError(message + needs * (precision == "int8"))
    return precision

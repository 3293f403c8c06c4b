"""The networks by name, and which of them runs where: on a device, an engine and in a precision.

Importing this loads neither NumPy nor an engine, so the gateway may.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import devices
from ovseg_core.family import Family
from ovseg_core.lite import family as lite
from ovseg_core.paddle_inference import family as paddle_inference
from ovseg_core.sam import family as sam

if TYPE_CHECKING:
    from ovseg_core.network import Network

# By the names that the registry of models uses
NETWORKS: dict[str, Family] = {**lite.NETWORKS, **sam.NETWORKS, **paddle_inference.NETWORKS}

ENGINES = ("auto", "openvino", "onnxruntime", "paddle")
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")


def choose_engine(name: str, device: str, engine: str = "auto") -> str:
    """The engine for a network on a device: the first of `engines`, or the one that was asked for.

    Raises ValueError where the engine that was asked for cannot run it.
    """
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; available: {', '.join(ENGINES)}")
    able = engines(name, device)
    if engine != "auto" and engine not in able:
        raise ValueError(f"the engine {engine} {_why_not(name, device, engine)}")
    return able[0] if engine == "auto" else engine


def engines(name: str, device: str) -> tuple[str, ...]:
    """The installed engines that can run a network on a device; on a CPU the fastest first.

    On a GPU Paddle comes first: nobody has measured ONNX Runtime there yet.
    """
    installed = [engine for engine in NETWORKS[name].engines if is_installed(engine)]
    if device == "cpu":
        return tuple(installed)
    if device.startswith("gpu") and "onnxruntime" in installed and _onnxruntime_has_cuda():
        return "paddle", "onnxruntime"
    return ("paddle",)


def _onnxruntime_has_cuda() -> bool:
    from ovseg_core.engines import in_onnxruntime  # not for every worker that has it installed

    return in_onnxruntime.has_cuda()


def _why_not(name: str, device: str, engine: str) -> str:
    extra = "onnxruntime-gpu" if engine == "onnxruntime" and device.startswith("gpu") else engine
    install = f"; pip install 'ovseg[{extra}]'"
    if not is_installed(engine):
        return "is not installed" + install
    needs_other_build = engine in NETWORKS[name].engines and extra != engine
    return f"cannot run {name} on {device}" + install * needs_other_build


def is_installed(engine: str) -> bool:
    """Paddle always is, and so is "auto"."""
    return engine in ("auto", "paddle") or importlib.util.find_spec(engine) is not None


def load(name: str, weights: Path, device: str, engine: str, precision: str, canvas_size: int) -> Network:
    """A network with its weights, ready to infer.

    Args:
        name: one of NETWORKS.
        weights: a file, or a folder where the network's row has an `index_file`.
        device: "cpu", "gpu:0" or another of `devices`.
        engine: one that `choose_engine` gave for this network and device.
        precision: one of `precisions`, or "auto". How far it reaches is the network's to say: `sam.family.load`.
        canvas_size: side of the square input in pixels.

    Raises:
        ValueError: the weights do not fit, this machine or this build of Paddle has no such device, or the engine has
            no such precision there.
    """
    precision = choose_precision(name, weights, device, engine, precision)
    if engine == "paddle":
        devices.use(device)
    return NETWORKS[name].load(name, weights, device, engine, precision, canvas_size)


def precisions(name: str, weights: Path, device: str, engine: str) -> tuple[str, ...]:
    """The precisions that a network with these weights can run in, on this device and engine."""
    if engine == "openvino":
        from ovseg_core.engines import in_openvino, int8

        floats = in_openvino.precisions()
        return (*floats, "int8") if int8.path(weights).is_file() and int8.is_supported() else floats
    return ("float32",) if device == "cpu" else ("float32", *NETWORKS[name].half_precisions.get(engine, ()))


def choose_precision(name: str, weights: Path, device: str, engine: str, precision: str = "auto") -> str:
    """The precision that was asked for; "auto" means bfloat16 on a CPU that has it, else float32.

    On CPUs bfloat16 is measured: nearly the same masks in half of the time or less. On GPUs nobody has measured it yet.
    Raises ValueError where the network has no such precision there, or there is none of that name.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}; available: {', '.join(PRECISIONS)}")
    able = precisions(name, weights, device, engine)
    if precision == "auto":
        return "bfloat16" if device == "cpu" and "bfloat16" in able else "float32"
    if precision not in able:
        message = f"{name} on {device} ({engine}) runs in {' or '.join(able)}, not in {precision}"
        needs = "; int8 needs OpenVINO, a CPU with VNNI, and what `ovseg models quantize` makes"
        raise ValueError(message + needs * (precision == "int8"))
    return precision

"""Parts on ONNX Runtime: on NVIDIA's GPUs with CUDA, and the encoder with TensorRT where it is installed; on a CPU that
OpenVINO is not for."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ovseg_core.engines import onnx_files
from ovseg_core.engines.parts import Parts, Runner

log = logging.getLogger(__name__)

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def has_cuda() -> bool:
    """Whether it is the build for GPUs (onnxruntime-gpu)."""
    return CUDA in ort.get_available_providers()


def runners(
    name: str, weights: Path, load: Callable[[], Parts], device: str, precision: str, graphs: Path | None = None
) -> dict[str, Runner]:
    """The parts of a network on a device ("cpu", "gpu:0", ...), its `encode` in "float32" or "float16". `load` and
    `graphs` are as for `onnx_files.paths`.

    Raises as `onnx_files.paths`. A part's first call raises ValueError where the device cannot be used.
    """
    called = name if device == "cpu" else f"{name}-gpu"  # `load` makes them in another order for a CPU
    paths = onnx_files.paths(called, weights, load, precision, graphs)
    return {
        part: _LazySession(partial(_session, path, providers(device, path, precision))) for part, path in paths.items()
    }


def providers(device: str, path: Path, precision: str) -> list[tuple[str, dict[str, str]]]:
    """What runs the part of this path, the first that can each of its operations.

    Options: https://onnxruntime.ai/docs/execution-providers/
    """
    if device == "cpu":
        return [(CPU, {})]
    index = device.partition(":")[2] or "0"
    on_gpu = [(CUDA, {"device_id": index}), (CPU, {})]
    # A TensorRT engine is built for some minutes, for a range of shapes: the encoder has one that is known.
    if path.stem != "encode" or not importlib.util.find_spec("tensorrt"):
        return on_gpu
    options = {
        "device_id": index,
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(path.parent),
        "trt_fp16_enable": str(int(precision == "float16")),
    }
    return [(TENSORRT, options), *on_gpu]


class _LazySession:
    """Opened on its first call: most processes never use the part that refines masks."""

    def __init__(self, make: Callable[[], ort.InferenceSession]) -> None:
        self._make = make

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self._make()

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, ...]:
        names = [wanted.name for wanted in self._session.get_inputs()]
        return tuple(self._session.run(None, dict(zip(names, given, strict=True))))


def _session(path: Path, wanted: list[tuple[str, dict[str, str]]]) -> ort.InferenceSession:
    first = wanted[0][0]
    if first == TENSORRT:
        importlib.import_module("tensorrt")  # which loads the libraries that ONNX Runtime looks for
        log.info("TensorRT takes its engine of %s, or builds it, for minutes", path)
    if first != CPU:
        ort.preload_dlls()  # CUDA and cuDNN from their wheels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of what it has not, and goes on with the CPU
        session = ort.InferenceSession(path, _options(), providers=wanted)
    if first not in session.get_providers():
        raise ValueError(f"ONNX Runtime cannot use {first} here; it has {', '.join(session.get_providers())}")
    return session


def _options() -> Any:
    """For the CPU cores that this process may use; its threads do not spin on what others want."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options

"""Run parts on ONNX Runtime.

It uses CUDA on NVIDIA's GPUs, and TensorRT for the image encoder if it is installed. On a CPU, it runs what OpenVINO
cannot run.
"""

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
    """True if the installed package is the build for GPUs (onnxruntime-gpu)."""
    return CUDA in ort.get_available_providers()


def runners(
    name: str, weights: Path, load: Callable[[], Parts], device: str, precision: str, graphs: Path | None = None
) -> dict[str, Runner]:
    """Return the parts of a network on a device ("cpu", "gpu:0", ...).

    `precision` ("float32" or "float16") is that of `encode`. `load` and `graphs` are as for `onnx_files.paths`.

    Raises what `onnx_files.paths` raises. The first call of a part raises ValueError if the device cannot be used.
    """
    # for a CPU, `load` makes parts whose operations are in another order
    called = name if device == "cpu" else f"{name}-gpu"
    paths = onnx_files.paths(called, weights, load, precision, graphs)
    return {
        part: _LazySession(partial(_session, path, providers(device, path, precision))) for part, path in paths.items()
    }


def providers(device: str, path: Path, precision: str) -> list[tuple[str, dict[str, str]]]:
    """Return the execution providers for the part in this file. The first that supports an operation runs it.

    Options: https://onnxruntime.ai/docs/execution-providers/
    """
    if device == "cpu":
        return [(CPU, {})]
    index = device.partition(":")[2] or "0"
    on_gpu = [(CUDA, {"device_id": index}), (CPU, {})]
    # TensorRT takes minutes to build an engine, for a range of shapes. Only the encoder's range is known.
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
    """A session that is opened on the first call: most processes never use the part that refines masks."""

    def __init__(self, make: Callable[[], ort.InferenceSession]) -> None:
        self._make = make

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self._make()

    def __call__(self, *given: np.ndarray) -> tuple[np.ndarray, ...]:
        names = [expected.name for expected in self._session.get_inputs()]
        return tuple(self._session.run(None, dict(zip(names, given, strict=True))))


def _session(path: Path, chosen: list[tuple[str, dict[str, str]]]) -> ort.InferenceSession:
    first = chosen[0][0]
    if first == TENSORRT:
        importlib.import_module("tensorrt")  # this import loads the libraries that ONNX Runtime needs
        log.info("TensorRT loads its engine for %s, or builds it, which takes minutes", path)
    if first != CPU:
        ort.preload_dlls()  # CUDA and cuDNN from their wheels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about missing providers, which it replaces by the CPU
        session = ort.InferenceSession(path, _options(), providers=chosen)
    if first not in session.get_providers():
        raise ValueError(f"ONNX Runtime cannot use {first} here; it has {', '.join(session.get_providers())}")
    return session


def _options() -> Any:
    """Return options for the CPU cores that this process may use. Idle threads do not spin, to leave them free."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options

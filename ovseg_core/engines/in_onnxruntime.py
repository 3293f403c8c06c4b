"""ONNX Runtime runs on NVIDIA's GPUs, and on CPUs that OpenVINO does not support.

On a GPU it uses CUDA, and for the image encoder TensorRT if that is installed.
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
    """True if the installed build is the one for GPUs (onnxruntime-gpu)."""
    return CUDA in ort.get_available_providers()


def runners(
    name: str, weights: Path, load: Callable[[], Parts], device: str, precision: str, graphs: Path | None = None
) -> dict[str, Runner]:
    """Return the parts of a network on a device ("cpu", "gpu:0", ...).

    `precision` ("float32" or "float16") is that of `encode`; the other parts are in float32. For `load` and `graphs`
    see `onnx_files.paths`.

    Raises what `onnx_files.paths` raises. The first call of a part raises ValueError if the device cannot be used.
    """
    paths = onnx_files.paths(name, weights, load, precision, graphs)
    return {
        part: _LazySession(partial(_session, path, providers(device, path, precision))) for part, path in paths.items()
    }


def providers(device: str, path: Path, precision: str) -> list[tuple[str, dict[str, str]]]:
    """Return the execution providers for the part of this path, with their options.

    Each operation is run by the first provider that supports it. The options are described at
    https://onnxruntime.ai/docs/execution-providers/.
    """
    if device == "cpu":
        return [(CPU, {})]
    index = device.partition(":")[2] or "0"
    on_gpu = [(CUDA, {"device_id": index}), (CPU, {})]
    # Building a TensorRT engine takes minutes, and it supports a known range of shapes. Only the encoder's are known.
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
    """A session that is opened by its first call, because most processes never use the part that refines masks."""

    def __init__(self, make: Callable[[], ort.InferenceSession]) -> None:
        self._make = make

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self._make()

    def __call__(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        names = [value.name for value in self._session.get_inputs()]
        return tuple(self._session.run(None, dict(zip(names, inputs, strict=True))))


def _session(path: Path, requested: list[tuple[str, dict[str, str]]]) -> ort.InferenceSession:
    first = requested[0][0]
    if first == TENSORRT:
        importlib.import_module("tensorrt")  # this loads the libraries that ONNX Runtime looks for
        log.info("%s: loading its TensorRT engine, or building it, which takes minutes", path)
    if first != CPU:
        ort.preload_dlls()  # CUDA and cuDNN from their wheels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a missing provider: it is checked below
        session = ort.InferenceSession(path, _options(), providers=requested)
    if first not in session.get_providers():
        raise ValueError(f"ONNX Runtime cannot use {first} here; available: {', '.join(session.get_providers())}")
    return session


def _options() -> Any:
    """Return options for the CPU cores that this process may use. Idle threads do not spin: others need the cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options

"""Paddle Inference, as PaddleX configures it."""

from __future__ import annotations

from typing import Any

from ovseg_core.paddle_inference.folder import InferenceFolder
from ovseg_core.quiet_paddle import paddle

THREADS = 10  # the number that PaddleX sets
GPU_MEMORY_MB = 200  # the initial size of the memory pool; it grows


def of(folder: InferenceFolder, device: str) -> Any:
    """Return a `paddle.inference.Predictor` of a folder for a device, "cpu" or "gpu:N".

    Raises ValueError if a file is damaged.
    """
    config = paddle.inference.Config(str(folder.graph), str(folder.weights))
    kind, _, index = device.partition(":")
    if kind == "cpu":
        config.disable_gpu()
        config.disable_mkldnn()  # it crashed on a SAM, and was wrong for the decoder (Paddle 3.3)
        config.set_cpu_math_library_num_threads(THREADS)
    else:
        config.enable_use_gpu(GPU_MEMORY_MB, int(index or 0))
    config.enable_new_ir(True)  # also for `inference.pdmodel`: the old IR's passes damage a SAM's masks (Paddle 3.3)
    config.enable_new_executor()
    config.set_optimization_level(3)
    config.enable_memory_optim()
    config.disable_glog_info()
    try:
        return paddle.inference.create_predictor(config)
    except RuntimeError as error:  # of Paddle, with several lines
        raise ValueError(f"Paddle cannot read {folder.graph.parent}: {' '.join(str(error).split())}") from error

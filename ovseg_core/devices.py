"""Devices, with PaddleX's names: cpu, gpu:0, npu:0, xpu:0, mlu:0, dcu:0, gcu:0.

GPUs, DCUs (Paddle calls them GPUs) and XPUs need another build of Paddle. The other kinds need a plug-in of their
vendor.
"""

from __future__ import annotations

import importlib.metadata
import re

KINDS = ("cpu", "gpu", "dcu", "xpu", "npu", "mlu", "gcu")
BUILDS = {
    "gpu": "paddlepaddle-gpu, see docs/deployment.md",
    "dcu": "Paddle's build for DCU",
    "xpu": "its build for XPU",
}
FORM = re.compile(rf"(cpu|(?:{'|'.join(KINDS[1:])})(?::\d+)?)")


def check(device: str) -> str:
    """Return the name of a device unchanged. Raises ValueError if it is not such a name."""
    if not FORM.fullmatch(device):
        raise ValueError(f"device is cpu, or KIND:N with a KIND of {', '.join(KINDS[1:])}, not {device!r}")
    return device


def use(device: str) -> None:
    """Make this device Paddle's current device.

    Raises ValueError if this machine or this build of Paddle has no such device.
    """
    from ovseg_core.quiet_paddle import paddle

    kind, _, index = check(device).partition(":")
    if kind != "cpu" and int(index or 0) >= (count := _count(kind)):
        needs = BUILDS.get(kind, f"Paddle's plug-in for {kind.upper()}")
        message = f"there is no {device} that this PaddlePaddle can use: it sees {count} of that kind"
        raise ValueError(message if count else f"{message}; {kind} needs {needs}")
    paddle.set_device(device.replace("dcu", "gpu"))


def default() -> str:
    """Return "gpu:0" if Paddle can use a GPU here, and "cpu" otherwise."""
    return "gpu:0" if gpus() else "cpu"


def gpus() -> int:
    """Return the number of GPUs that Paddle can use here.

    The build of Paddle is known from the list of installed packages, so a build for CPUs is not imported here.
    """
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    is_for_cpus = "paddlepaddle" in installed and "paddlepaddle-gpu" not in installed
    return 0 if is_for_cpus else _count("gpu")


def _count(kind: str) -> int:
    from ovseg_core.quiet_paddle import paddle

    if kind in ("gpu", "dcu"):
        is_gpu_build = paddle.device.is_compiled_with_cuda() or paddle.device.is_compiled_with_rocm()
        return int(paddle.device.cuda.device_count()) if is_gpu_build else 0
    if kind == "xpu":
        return int(paddle.device.xpu.device_count()) if paddle.device.is_compiled_with_xpu() else 0
    return sum(name.partition(":")[0] == kind for name in paddle.device.get_available_custom_device())

"""Devices by the names that PaddleX gives them: cpu, gpu:0, npu:0, xpu:0, mlu:0, dcu:0, gcu:0.

GPUs, DCUs (which are GPUs to Paddle) and XPUs need another build of Paddle, the others a plug-in of their vendor's.
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
    """The name as it is. Raises ValueError for one that is no device's."""
    if not FORM.fullmatch(device):
        raise ValueError(f"device is cpu, or KIND:N with a KIND of {', '.join(KINDS[1:])}, not {device!r}")
    return device


def use(device: str) -> None:
    """Make it Paddle's. Raises ValueError where this machine or this build of Paddle has no such device."""
    from ovseg_core.quiet_paddle import paddle

    kind, _, index = check(device).partition(":")
    if kind != "cpu" and int(index or 0) >= (count := _count(kind)):
        needs = BUILDS.get(kind, f"Paddle's plug-in for {kind.upper()}")
        message = f"there is no {device} that this PaddlePaddle could use: it sees {count} of that kind"
        raise ValueError(message if count else f"{message}; {kind} needs {needs}")
    paddle.set_device(device.replace("dcu", "gpu"))


def default() -> str:
    """The first GPU where there is one that Paddle can use, else the CPU.

    Paddle is not imported to learn that its build is the one for CPUs.
    """
    installed = {distribution.name for distribution in importlib.metadata.distributions()}
    is_for_cpus = "paddlepaddle" in installed and "paddlepaddle-gpu" not in installed
    return "gpu:0" if not is_for_cpus and _count("gpu") else "cpu"


def _count(kind: str) -> int:
    from ovseg_core.quiet_paddle import paddle

    if kind in ("gpu", "dcu"):
        is_able = paddle.device.is_compiled_with_cuda() or paddle.device.is_compiled_with_rocm()
        return int(paddle.device.cuda.device_count()) if is_able else 0
    if kind == "xpu":
        return int(paddle.device.xpu.device_count()) if paddle.device.is_compiled_with_xpu() else 0
    return sum(name.partition(":")[0] == kind for name in paddle.device.get_available_custom_device())

"""The networks by name, and their way onto a device and an engine."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from ovseg_core.candidates import Candidates

Features = tuple[np.ndarray, ...]

ENGINES = ("auto", "openvino", "paddle")


class Network(Protocol):
    """Encode an image once, decode as many prompts from its features as you like."""

    def encode(self, canvas: np.ndarray) -> Features:
        """A normalised canvas (1, 3, H, W) float32 to features, arrays of the network's own shapes."""
        ...

    def decode(
        self,
        features: Features,
        boxes: np.ndarray | None,  # N, 4 canvas pixels
        points: np.ndarray | None,  # N, P, 2 canvas pixels
        labels: np.ndarray | None,  # N, P: 1 on the object, 0 not
        every: bool = False,
    ) -> Candidates:
        """Masks for N prompts of one image and one shape: `every` candidate, or at least the best."""
        ...


def choose_engine(name: str, device: str, engine: str = "auto") -> str:
    """The engine for a network on a device: OpenVINO on a CPU, where it is installed and can run it; else Paddle.

    Raises ValueError where the engine that was asked for cannot run it.
    """
    if engine not in ENGINES:
        raise ValueError(f"there is no engine {engine!r}; available: {', '.join(ENGINES)}")
    able = name in OPENVINO and device == "cpu"
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not (able and installed):
        reason = f"cannot run {name} on {device}" if installed else "is not installed; pip install 'ovseg[openvino]'"
        raise ValueError(f"the engine openvino {reason}")
    return "openvino" if engine != "paddle" and able and installed else "paddle"


def load(name: str, weights: Path, device: str, engine: str, canvas_size: int) -> Network:
    """A network with its weights on a device ("cpu", "gpu:0", ...), ready to infer, on an engine of `choose_engine`.

    Raises ValueError where the weights do not fit, or this machine or this build of Paddle has no such device.
    """
    if engine == "openvino":
        return OPENVINO[name](weights, canvas_size)
    from ovseg_core.quiet_paddle import paddle

    if device.startswith("gpu"):
        if not paddle.device.is_compiled_with_cuda():
            raise ValueError("this PaddlePaddle has no GPU support; install paddlepaddle-gpu as the README says")
        if paddle.device.cuda.device_count() == 0:
            raise ValueError("there is no such GPU on this machine")
    paddle.set_device(device)
    return PADDLE[name](weights)


def _lite_in_openvino(weights: Path, canvas_size: int) -> Network:
    from ovseg_core.lite.network import SamLite
    from ovseg_core.lite.openvino_parts import OpenVinoParts

    return SamLite(OpenVinoParts(weights, canvas_size))


def _lite_in_paddle(weights: Path) -> Network:
    from ovseg_core.lite.network import SamLite
    from ovseg_core.lite.paddle_parts import PaddleParts

    return SamLite(PaddleParts.load(weights))


def _sam_in_paddle(variant: str) -> Callable[[Path], Network]:
    def load(weights: Path) -> Network:
        from ovseg_core import checkpoints
        from ovseg_core.sam.network import VARIANTS

        network = VARIANTS[variant]()
        network.eval()
        checkpoints.load(network, weights)
        return network

    return load


OPENVINO: dict[str, Callable[[Path, int], Network]] = {"sam_lite": _lite_in_openvino}
PADDLE: dict[str, Callable[[Path], Network]] = {
    "sam_lite": _lite_in_paddle,
    "mobile_sam": _sam_in_paddle("mobile_sam"),
    "sam_b": _sam_in_paddle("sam_b"),
    "sam_l": _sam_in_paddle("sam_l"),
    "sam_h": _sam_in_paddle("sam_h"),
}

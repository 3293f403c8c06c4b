"""The parts of a network on an engine that is chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ovseg_core.engines.parts import Parts, Runner


def on(
    engine: str,
    name: str,
    weights: Path,
    load: Callable[[str], Parts],
    device: str,
    precision: str,
    graphs: Path | None = None,
) -> dict[str, Runner]:
    """Return the parts of a network on an engine.

    Args:
        engine: "paddle", "openvino" or "onnxruntime".
        name: of the network, which is also the name of its translation in the cache. If `load` depends on the device,
            each of its variants needs a name.
        weights: a file.
        load: makes the parts in Paddle from the weights, with the image encoder in the given precision. Engines other
            than Paddle need it only to translate the parts: see `onnx_files.paths`.
        device: "cpu", "gpu:0" or another of `devices`. Paddle uses its current device instead, and OpenVINO the CPU.
        precision: one of `networks.precisions`.
        graphs: the folder of the network's shipped graphs, or None.

    Raises what `load` raises, and ValueError if the engine cannot translate or run the parts.
    """
    if engine == "paddle":
        from ovseg_core.engines import in_paddle

        return in_paddle.runners(load(precision))
    in_float32 = partial(load, "float32")
    if engine == "openvino":
        from ovseg_core.engines import in_openvino

        return in_openvino.runners(name, weights, in_float32, precision, graphs)
    from ovseg_core.engines import in_onnxruntime

    return in_onnxruntime.runners(name, weights, in_float32, device, precision, graphs)

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
    """Return the parts of network `name` on an engine.

    `load` makes the parts in Paddle from the weights, with the image encoder in the given precision. Engines other than
    Paddle call it only if no process has translated these weights before, and never for float32 if the network ships
    its `graphs`.

    Raises what `load` raises, and ValueError as the engine does.
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

"""Paddle, the reference engine, which also runs on GPUs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ovseg_core.engines.parts import Parts, Runner
from ovseg_core.quiet_paddle import paddle


def runners(parts: Parts) -> dict[str, Runner]:
    """Return the parts of a network on Paddle's current device."""
    return {name: _runner(getattr(parts, name)) for name in parts.shapes()}


def _runner(part: Callable[..., paddle.Tensor | tuple[paddle.Tensor, ...]]) -> Runner:
    def run(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with paddle.no_grad():
            result = part(*(paddle.to_tensor(array) for array in inputs))
        outputs = (result,) if isinstance(result, paddle.Tensor) else result
        return tuple(tensor.numpy() for tensor in outputs)

    return run

"""Run parts on Paddle, which is the reference engine and runs on GPUs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ovseg_core.engines.parts import Parts, Runner
from ovseg_core.quiet_paddle import paddle


def runners(parts: Parts) -> dict[str, Runner]:
    """Return the parts on Paddle's current device."""
    return {name: _runner(getattr(parts, name)) for name in parts.shapes()}


def _runner(part: Callable[..., paddle.Tensor | tuple[paddle.Tensor, ...]]) -> Runner:
    def run(*given: np.ndarray) -> tuple[np.ndarray, ...]:
        with paddle.no_grad():
            answer = part(*(paddle.to_tensor(array) for array in given))
        answers = (answer,) if isinstance(answer, paddle.Tensor) else answer
        return tuple(tensor.numpy() for tensor in answers)

    return run

"""The parts of a network: their inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from ovseg_core.quiet_paddle import paddle

Shape = tuple[int | None, ...]  # None: any size

Runner = Callable[..., tuple[np.ndarray, ...]]  # runs a part on an engine: float32 arrays to float32 arrays


class Parts(Protocol):
    """A `paddle.nn.Layer` with one method per part. `shapes` returns the shapes of each part's inputs by the part's
    name.
    """

    def shapes(self) -> dict[str, tuple[Shape, ...]]: ...

    def named_parameters(self) -> Iterable[tuple[str, paddle.Tensor]]: ...

    def named_buffers(self) -> Iterable[tuple[str, paddle.Tensor]]: ...

    def state_dict(self) -> Mapping[str, paddle.Tensor]: ...

"""The parts of a network: what an engine is given, and what it makes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from ovseg_core.quiet_paddle import paddle

Shape = tuple[int | None, ...]  # None: any number

Runner = Callable[..., tuple[np.ndarray, ...]]  # a part on an engine: float32 arrays to float32 arrays


class Parts(Protocol):
    """A `paddle.nn.Layer` whose methods of these names are the parts, and the shapes of what each is given."""

    def shapes(self) -> dict[str, tuple[Shape, ...]]: ...

    def named_parameters(self) -> Iterable[tuple[str, paddle.Tensor]]: ...

    def named_buffers(self) -> Iterable[tuple[str, paddle.Tensor]]: ...

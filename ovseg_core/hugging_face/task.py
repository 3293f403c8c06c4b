"""What the tasks of `pipeline` have in common: their parameters, and what they get for each image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

if TYPE_CHECKING:
    import numpy as np

    from ovseg_core.embedding import Embedding
    from ovseg_core.hugging_face.loaded import Loaded


class Picture(NamedTuple):
    """An image (H, W, 3) uint8 RGB, and its embedding. A task that does not use the segmenter gets no embedding."""

    pixels: np.ndarray
    embedding: Embedding | None


@dataclass(frozen=True)
class Task(ABC):
    """A task with its parameters: the fields of the class. None stands for the default of the model."""

    name: ClassVar[str]
    second: ClassVar[str | None] = None  # the parameter that may follow the images without its name
    is_detection: ClassVar[bool] = False  # True if only the detector is used, False if the segmenter is

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    def changed(self, given: Mapping[str, Any]) -> Self:
        """Return the task with other values of these parameters.

        Raises TypeError, which lists the parameters, if there is no such parameter.
        """
        names = self.parameters()
        if unknown := sorted(given.keys() - set(names)):
            raise TypeError(f"{self.name} has no parameter {unknown[0]!r}; its parameters: {', '.join(names)}")
        return replace(self, **given)

    @abstractmethod
    def answer(self, loaded: Loaded, picture: Picture) -> Any:
        """Return the result for one image."""

"""PaddleX's `thresholds` of a detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.options import DetectionOptions
from ovseg_core.paddlex import plain

GivenThresholds = Mapping[str, float | None] | None  # None: the default


@dataclass(frozen=True)
class Thresholds:
    """Two scores from 0 to 1. A box is kept if its best token exceeds the first, and its label has the tokens that
    exceed the second.
    """

    box_threshold: float = DetectionOptions.box_threshold
    text_threshold: float = DetectionOptions.text_threshold

    def changed(self, given: Any) -> Thresholds:
        """Return these thresholds with those of `given`, which are `GivenThresholds`.

        None, also for one of them, changes nothing.

        Raises:
            TypeError: `given` is not a mapping.
            OvsegError: `invalid_options` for an unknown name, or a value that is not a number from 0 to 1; its `field`
                names it.
        """
        if given is None:
            return self
        if not isinstance(given, Mapping):
            example = "{'box_threshold': 0.3, 'text_threshold': 0.25}"
            raise TypeError(f"thresholds must be a mapping such as {example}, not {plain.shown(given)}")
        names = asdict(self)
        if unknown := sorted(str(name) for name in given if name not in names):
            message = f"unknown thresholds {', '.join(unknown)}; known: {', '.join(names)}"
            raise OvsegError("invalid_options", message, f"thresholds.{unknown[0]}")
        changes = {name: plain.of(value) for name, value in given.items() if value is not None}
        DetectionOptions.at("thresholds", changes)  # checks them
        return replace(self, **changes)

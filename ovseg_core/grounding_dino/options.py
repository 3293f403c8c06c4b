"""What a caller may choose when phrases are searched in an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ovseg_core.errors import OvsegError

MAX_OBJECTS = 10_000


@dataclass(frozen=True)
class DetectionOptions:
    """How boxes are chosen. Names and defaults are those of Grounding DINO and of services that offer it.

    Args:
        box_threshold: a box is dropped if its best score for any phrase is not above this. 0 to 1. A lower value finds
            more objects, and more boxes without an object.
        text_threshold: a box that is kept is returned for each phrase whose score is above this. 0 to 1. So one box
            can be returned for two phrases that both fit it, such as "man" and "person".
        max_objects: the maximum number of boxes; those with the highest scores are returned. 1 to 10,000.
        nms_threshold: of two boxes with a larger IoU, the one with the lower score is dropped. 0 to 1; None drops none.
        class_agnostic_nms: True if boxes of different phrases are compared too.

    Raises:
        OvsegError: `invalid_options`; its `field` is the name of the wrong option.
    """

    box_threshold: float = 0.3
    text_threshold: float = 0.25
    max_objects: int = 100
    nms_threshold: float | None = None
    class_agnostic_nms: bool = False

    @classmethod
    def at(cls, where: str, given: Mapping[str, Any]) -> DetectionOptions:
        """Return the options that are given as fields of `where`, which an error then names."""
        try:
            return cls(**given)
        except OvsegError as error:
            field = f"{where}.{error.field}"
            raise OvsegError(error.code, f"{field} {error.message}", field) from None

    def __post_init__(self) -> None:
        for name in ("box_threshold", "text_threshold", "nms_threshold"):
            value = getattr(self, name)
            if not (_is_share(value) or (value is None and name == "nms_threshold")):
                raise OvsegError("invalid_options", "must be a number from 0 to 1", name)
        count = self.max_objects
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_OBJECTS:
            raise OvsegError("invalid_options", f"must be a whole number from 1 to {MAX_OBJECTS:,}", "max_objects")
        if not isinstance(self.class_agnostic_nms, bool):
            raise OvsegError("invalid_options", "must be true or false", "class_agnostic_nms")


def _is_share(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= 1  # type: ignore[arg-type, operator]  # a number

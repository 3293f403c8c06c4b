"""The options of a detector in a request: the job's `detection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any

from pydantic import WithJsonSchema

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino.options import MAX_OBJECTS, DetectionOptions
from worker.job.client_text import brief

FIELD = "detection"
NAMES = tuple(field.name for field in fields(DetectionOptions))
THRESHOLDS = ("box_threshold", "text_threshold", "nms_threshold")

_SHARE: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
DetectionJson = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "box_threshold": _SHARE,
                "text_threshold": _SHARE,
                "max_objects": {"type": "integer", "minimum": 1, "maximum": MAX_OBJECTS},
                "nms_threshold": {"anyOf": [_SHARE, {"type": "null"}]},
                "class_agnostic_nms": {"type": "boolean"},
            },
            "additionalProperties": False,
        }
    ),
]

_LIMIT = {"anyOf": [_SHARE, {"type": "null"}]}
ThresholdsJson = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"box_threshold": _LIMIT, "text_threshold": _LIMIT},
            "additionalProperties": False,
        }
    ),
]


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given options, as values for JSON in one spelling: 1 and 1.0 have equal fingerprints.

    Raises OvsegError `invalid_options`; its `field` is the place in the request.
    """
    if unknown := [name for name in given if name not in NAMES]:
        message = f"unknown option; allowed: {', '.join(NAMES)}"
        raise OvsegError("invalid_options", message, f"{FIELD}.{brief(unknown[0])}")
    options = DetectionOptions.at(FIELD, given)
    values = {name: _plain(name, getattr(options, name)) for name in given}
    return {name: value for name, value in values.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    return float(value) if name in THRESHOLDS and value is not None else value

"""The JSON Schema of rules between the fields of a request for a job, which `parsing` checks by hand."""

from __future__ import annotations

from typing import Any

from worker.job import ephemeral

_NOT = {"type": "null"}  # the field is left out, or null
_ALONE = {"multimask": _NOT, "on_invalid_prompt": _NOT}  # everything mode takes neither
_IS_EVERYTHING = {"properties": {"promptType": {"const": "everything"}}}
_IS_TEXT = {"required": ["promptType"], "properties": {"promptType": {"const": "text"}}}
_OUR_SPELLING = {
    "properties": {"prompt": _NOT, "promptType": _NOT},
    "if": {"properties": {"prompts": {"type": "array"}}},
    "else": {"properties": _ALONE},
}
PADDLEX_SPELLING: dict[str, Any] = {
    "required": ["promptType"],
    "properties": {"promptType": {"type": "string"}},
    "if": _IS_EVERYTHING,
    "then": {"properties": {"prompt": {"type": ["object", "null"]}}},
    "else": {
        "required": ["prompt"],
        "if": _IS_TEXT,
        "then": {"properties": {"prompt": {"type": ["array", "string"], "items": {"type": "string"}}}},
        "else": {"properties": {"prompt": {"type": "array", "items": {"type": "array"}}}},
    },
}
_WITH_TEXT = {"required": ["text"], "properties": {"text": {"type": ["string", "array"]}}}
_HAS_TEXT = {
    "anyOf": [
        {"required": ["prompts"], "properties": {"prompts": {"type": "array", "contains": _WITH_TEXT}}},
        _IS_TEXT,
    ]
}
_DETECTOR = {  # a detector serves phrases
    "if": {
        "anyOf": [
            {"required": ["detector"], "properties": {"detector": {"type": "string"}}},
            {"required": ["detection"], "properties": {"detection": {"type": "object"}}},
        ]
    },
    "then": _HAS_TEXT,
}
_CANDIDATES = {  # each box that a detector finds has one mask
    "if": {"required": ["multimask"], "properties": {"multimask": {"const": "all"}}},
    "then": {"not": _HAS_TEXT},
}
_POLYGONS = {  # options of an output need this output
    "if": {"required": ["polygons"], "properties": {"polygons": {"type": "object"}}},
    "then": {"required": ["outputs"], "properties": {"outputs": {"contains": {"const": "polygons"}}}},
}
_EPHEMERAL = {  # its result is only inline, and nothing is notified of it
    "if": {"required": ["ephemeral"], "properties": {"ephemeral": {"const": True}}},
    "then": {"properties": {"outputs": {"items": {"enum": list(ephemeral.INLINE)}}, "webhook": _NOT}},
}
RULES: dict[str, Any] = {
    "if": {"required": ["prompts"], "properties": {"prompts": {"type": ["array", "object", "string"]}}},
    "then": _OUR_SPELLING,
    "else": {"allOf": [PADDLEX_SPELLING, {"if": _IS_EVERYTHING, "then": {"properties": _ALONE}}]},
    "allOf": [_POLYGONS, _EPHEMERAL, _DETECTOR, _CANDIDATES],
}

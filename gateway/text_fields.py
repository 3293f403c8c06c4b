"""The fields of a request as texts: the parts of a form, or the query of a request whose body is an image."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from flask import request

from configs.settings import Settings
from gateway import query, strict_json
from gateway.wait_time import WaitQuery
from ovseg_core.errors import OvsegError

# Longer texts are refused before they are split: millions of numbers would take a gigabyte.
MAX_CHARACTERS = {"box": 200, "point": 100, "points": 64 * 1024, "text": 64 * 1024}
NUMBER = re.compile(r"\s*[+-]?[0-9.]{1,30}(e[+-]?[0-9]{1,3})?\s*", re.IGNORECASE | re.ASCII)
JSON_FIELDS = ("metadata", "deadline", "detection", "polygons", "ephemeral")

# The JSON Schema of the texts that `parse` reads by hand. Numbers may also have exponents and spaces around them.
_NUMBER = r"[+-]?[0-9]{1,15}(\.[0-9]{1,14})?"
_POINT, _LABELLED = f"{_NUMBER},{_NUMBER}", f"{_NUMBER},{_NUMBER}(,[01])?"


def _texts(pattern: str) -> dict[str, Any]:
    return {"type": "array", "maxItems": 1000, "items": {"type": "string", "pattern": f"^{pattern}$"}}


SCHEMAS: dict[str, tuple[str, dict[str, Any]]] = {
    "box": ("a prompt each: x0,y0,x1,y1", _texts(f"{_POINT},{_POINT}")),
    "point": ("a prompt each: x,y", _texts(_POINT)),
    "points": (
        "a prompt each: several points x,y or x,y,label, with spaces between",
        _texts(f"{_LABELLED}( {_LABELLED})*"),
    ),
    "text": ("a prompt each: a phrase", {"type": "array", "maxItems": 1000, "items": {"type": "string"}}),
    "prompts": (
        "`everything`, or the field `prompts` as JSON; instead of box, point, points and text",
        {"type": "string"},
    ),
    "outputs": ("a list with commas: rle,png", {"type": "string"}),
    "webhook": ("a URL", {"type": "string"}),
}


class EmbeddingTexts(WaitQuery):
    """The query of a request to encode the image in its body."""

    model: str | None = None
    device: str | None = None
    priority: str | None = None
    metadata: str | None = None
    webhook: str | None = None
    deadline: str | None = None


class Texts(EmbeddingTexts):
    """The query of a request to segment the image in its body. The fields of `MANY` may be given several times."""

    MANY: ClassVar[frozenset[str]] = frozenset(MAX_CHARACTERS)

    prompts: str | None = None
    box: list[str] | None = None
    point: list[str] | None = None
    points: list[str] | None = None
    text: list[str] | None = None
    detector: str | None = None
    detection: str | None = None
    outputs: str | None = None
    multimask: str | None = None
    polygons: str | None = None
    on_invalid_prompt: str | None = None
    ephemeral: str | None = None


class Names(NamedTuple):
    """The names of the fields that may be given once, and of those that may be given many times."""

    once: Sequence[str]
    many: Sequence[str]


def of_view() -> Names:
    """Return the names of the fields that the current request's view takes as texts."""
    model = query.takes_with_image.of_view()
    names = [] if model is None else [name for name in model.model_fields if name not in WaitQuery.model_fields]
    many = [] if model is None else [name for name in names if name in model.MANY]
    return Names([name for name in names if name not in many], many)


def of_query() -> dict[str, list[bytes]]:
    """Return the fields that the query of the current request has."""
    names = of_view()
    given = request.args.to_dict(flat=False)
    return {
        name: [value.encode() for value in values]
        for name, values in given.items()
        if name in (*names.once, *names.many)
    }


def parse(texts: Mapping[str, Sequence[bytes]], settings: Settings) -> dict[str, Any]:
    """Return the fields as the JSON of a request would have them.

    The prompts are in this order: each `box`, each `point`, each `points`, each `text`. Raises OvsegError
    `invalid_value`, `invalid_json`, `invalid_request`.
    """
    body = {name: _value(name, values[0], settings) for name, values in texts.items() if name not in PROMPTS}
    prompts = [
        parse_one(_text(f"{name}[{i}]", value, MAX_CHARACTERS[name]), f"{name}[{i}]")
        for name, parse_one in PROMPTS.items()
        for i, value in enumerate(texts.get(name, ()))
    ]
    if prompts and "prompts" in body:
        raise OvsegError("invalid_request", "give either prompts, or box, point, points and text", "prompts")
    return {**body, "prompts": prompts} if prompts else body


def _value(name: str, data: bytes, settings: Settings) -> Any:
    if name in JSON_FIELDS or (name == "prompts" and data.lstrip()[:1] in (b"[", b"{")):
        try:
            return strict_json.read(data, settings)
        except OvsegError as error:
            raise error.at(name) from None
    text = _text(name, data)
    return [each.strip() for each in text.split(",")] if name == "outputs" else text


def _text(name: str, data: bytes, max_characters: int | None = None) -> str:
    if max_characters is not None and len(data) > max_characters:
        raise OvsegError("invalid_value", f"{len(data):,} bytes; at most {max_characters:,} are allowed", name)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise OvsegError("invalid_value", f"not UTF-8: {error.reason} at byte {error.start:,}", name) from None


def _box(text: str, field: str) -> dict[str, Any]:
    return {"box": _numbers(text, field, (4,), "four numbers: x0,y0,x1,y1")}


def _point(text: str, field: str) -> dict[str, Any]:
    return {"points": [_numbers(text, field, (2,), "two numbers: x,y")]}


def _points(text: str, field: str) -> dict[str, Any]:
    """Return one prompt with several points, which are separated by spaces; each may have a label."""
    rule = "points x,y or x,y,label separated by spaces; a label is 1 or 0"
    rows = [_numbers(row, field, (2, 3), rule) for row in text.split()]
    if any(row[2:] not in ([], [0], [1]) for row in rows):
        raise OvsegError("invalid_value", f"must be {rule}", field)
    return {"points": [row[:2] for row in rows], "labels": [int(row[2]) if row[2:] else 1 for row in rows]}


def _phrase(text: str, field: str) -> dict[str, Any]:
    return {"text": text}


def _numbers(text: str, field: str, counts: Sequence[int], rule: str) -> list[float]:
    parts = text.split(",")
    try:
        numbers = [float(part) for part in parts if NUMBER.fullmatch(part)]
    except ValueError:  # such as 1.2.3
        numbers = []
    if len(parts) not in counts or len(numbers) != len(parts) or not all(map(math.isfinite, numbers)):
        raise OvsegError("invalid_value", f"must be {rule}", field)
    return numbers


PROMPTS: Mapping[str, Callable[[str, str], dict[str, Any]]] = {
    "box": _box,
    "point": _point,
    "points": _points,
    "text": _phrase,
}

"""The fields of a request as texts: parts of a form, or parameters of a request whose body is an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway import query, text_fields
from gateway.openapi.problems import View
from gateway.wait_time import WaitQuery


class Text(NamedTuple):
    """A field as a text. The schema is that of the JSON in the text if `is_json`, else that of the text itself."""

    name: str
    description: str
    schema: dict[str, Any]
    is_json: bool


def of(view: View, fields: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the fields that a view takes as texts. `fields` are the schemas of the same fields in JSON, by name."""
    model = query.takes_with_image.of(view)
    for name in () if model is None else model.model_fields:
        if name in WaitQuery.model_fields:
            continue
        if name in text_fields.SCHEMAS:
            described, schema = text_fields.SCHEMAS[name]
            yield Text(name, described, schema, is_json=False)
        else:
            is_json = name in text_fields.JSON_FIELDS
            described = f"the field `{name}` of the JSON" + (", as JSON." if is_json else ".")
            yield Text(name, described, without_null(fields[name]), is_json)


def without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a field without null and without its default: a text is left out instead."""
    choices = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default", "title")}
    return {**rest, **(choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})}

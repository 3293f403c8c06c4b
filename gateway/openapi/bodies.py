"""The bodies of requests: JSON, a form, an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import body
from gateway.openapi import texts
from gateway.openapi.problems import View
from gateway.operation import Operation

FILE = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
# In a body that is only JSON, there must be an image. In a form it may be the file.
WITH_IMAGE = {"required": ["image"], "properties": {"image": {"type": ["string", "object"]}}}


def of(view: View, described: Operation, schema: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a view's requests.

    Args:
        view: takes a body, in the content types of its mark.
        described: has the examples.
        schema: of the body's JSON.
        fields: the schemas of its fields, by name.
    """
    types = body.takes.of(view)
    json_schema = {"allOf": [schema, WITH_IMAGE]} if body.IMAGE in types else schema
    content: dict[str, Any] = {body.JSON: {"schema": json_schema}}
    if described.examples:
        content[body.JSON]["examples"] = {
            name.replace(" ", "_").replace("'", ""): {"summary": name, "value": value}
            for name, value in described.examples.items()
        }
    if body.NDJSON in types:
        content[body.NDJSON] = {"schema": {"type": "string", "description": "one JSON object in each line"}}
    if body.FORM in types:
        content[body.FORM] = _form(list(texts.of(view, fields)), schema)
    if body.IMAGE in types:
        content[body.IMAGE] = {"schema": FILE}
    return {"required": True, "content": content}


def _form(fields: list[texts.Text], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a form: the file, and either the JSON in one part or each field in a part of its own."""
    names = [field.name for field in fields]
    properties = {
        "image": {**FILE, "description": "the file, unless the fields name another image"},
        "request": {**schema, "description": "the fields as JSON; or each field in a part of its own"},
        **{field.name: {**field.schema, "description": field.description} for field in fields},
    }
    in_json = ["request", *(field.name for field in fields if field.is_json)]
    return {
        "schema": {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "dependentSchemas": {"request": {"properties": dict.fromkeys(names, False)}},
        },
        "encoding": {name: {"contentType": body.JSON} for name in in_json},
    }

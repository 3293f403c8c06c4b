"""JSON Schemas of types, as components of an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

Mode = Literal["validation", "serialization"]  # of requests, of answers

COMPONENT = "#/components/schemas/{model}"
NULL = {"type": "null"}


class _Plain(GenerateJsonSchema):
    """Without titles, which repeat the names of fields, and without `default: null`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        found = super().default_schema(schema)
        return {name: value for name, value in found.items() if name != "default" or value is not None}


class Schemas:
    """The schemas of types. All are given at once: two types of one name become two components."""

    def __init__(self, requests: Iterable[Any], answers: Iterable[Any]) -> None:
        modes: dict[tuple[int, Mode], Any] = {(id(each), "validation"): each for each in requests}
        modes |= {(id(each), "serialization"): each for each in answers}
        inputs = [(number, mode, TypeAdapter(each)) for (number, mode), each in modes.items()]
        self._found, shared = TypeAdapter.json_schemas(inputs, ref_template=COMPONENT, schema_generator=_Plain)
        self.components: dict[str, Any] = {name: _untitled(each) for name, each in sorted(shared["$defs"].items())}

    def of_request(self, body: Any) -> dict[str, Any]:
        """Return the reference to the component."""
        return self._found[id(body), "validation"]

    def of_answer(self, body: Any) -> dict[str, Any]:
        return self._found[id(body), "serialization"]

    def fields_of_request(self, body: Any) -> dict[str, Any]:
        """Return the schemas of the fields of a request's body, by name."""
        fields: dict[str, Any] = self.components[self.of_request(body)["$ref"].rpartition("/")[2]]["properties"]
        return fields


def of_parameters(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of a model's fields by name, without references and without null.

    OpenAPI has no form for a field that has many parameters, such as `metadata.KEY`: such fields are left out.
    """
    schema = model.model_json_schema(schema_generator=_Plain)
    definitions = schema.get("$defs", {})
    found = {name: _of_parameter(each, definitions) for name, each in schema.get("properties", {}).items()}
    return {name: each for name, each in found.items() if each.get("type") != "object"}


def _of_parameter(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    [found] = [each for each in schema.get("anyOf", [schema]) if each != NULL]
    if "$ref" in found:
        found = definitions[found["$ref"].rpartition("/")[2]]
    kept = {name: value for name, value in schema.items() if name in ("default", "description")}
    return {**_untitled(found), **kept}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "title"}

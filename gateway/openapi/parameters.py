"""The parameters of a route: in its path, in its query, and headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from werkzeug.routing import Rule

from gateway import query, request_id
from gateway.openapi import schemas, texts
from gateway.openapi.problems import View
from gateway.operation import Header, Operation
from worker.job.mask_fields import JOB_ID

# By the name in the route's path. A view answers 404 for every other text.
IN_PATH: dict[str, tuple[str, dict[str, Any]]] = {
    "batch_id": ("Chosen by the service, or by the client.", {"type": "string", "pattern": JOB_ID}),
    "endpoint_id": ("Such as `ep_26de503988651cdc`.", {"type": "string"}),
    "event_id": ("Such as `evt_<job>_succeeded`.", {"type": "string"}),
    "file": ("`result.json`, `overlay.jpg`, `masks/0000.png`, `image` or `preview`.", {"type": "string"}),
    "job_id": ("Chosen by the service (a UUID of version 7), or by the client.", {"type": "string", "pattern": JOB_ID}),
    "name": ("Of a model, such as `SAM-Lite`.", {"type": "string"}),
    "tenant": ("`default`, or the name of another tenant.", {"type": "string"}),
    "upload_id": ("Such as `upl_95fdc12ac0e2a04b8d1f41ce8f0d2f7a`.", {"type": "string"}),
    "key_id": ("16 hexadecimal digits.", {"type": "string"}),
}


def of(rule: Rule, view: View, described: Operation, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of a route. `fields` are the schemas of its body's fields, by name."""
    taken = query.takes.of(view)
    headers = (*described.headers, *taken.HEADERS, request_id.SENT)
    return [
        *(_in_path(name) for name in sorted(rule.arguments)),
        *_in_query(taken),
        *(_header(each) for each in headers),
        *_in_query_of_image(view, fields),
    ]


def _in_path(name: str) -> dict[str, Any]:
    described, schema = IN_PATH[name]
    return {"name": name, "in": "path", "required": True, "description": described, "schema": schema}


def _in_query(model: type[query.Query]) -> Iterator[dict[str, Any]]:
    for name, schema in schemas.of_parameters(model).items():
        described = {"description": schema.pop("description")} if "description" in schema else {}
        yield {"name": name, "in": "query", **described, "schema": schema}


def _in_query_of_image(view: View, fields: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for text in texts.of(view, fields):
        value = {"content": {"application/json": {"schema": text.schema}}} if text.is_json else {"schema": text.schema}
        described = f"Only if the body is an image: {text.description}"
        yield {"name": text.name, "in": "query", "description": described, **value}


def _header(header: Header) -> dict[str, Any]:
    return {"name": header.name, "in": "header", "description": header.description, "schema": dict(header.schema)}

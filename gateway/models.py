"""The routes of models: list all, show one. The envelope is that of OpenAI's API, so that its clients can read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, jsonify

from gateway import auth, operation
from gateway.answers.model import ModelList, ModelObject
from gateway.operation import Answer, Operation
from gateway.services import services
from ovseg_core import detectors, models
from ovseg_core.errors import OvsegError
from ovseg_core.models import ModelSpec, Published
from worker.access.scope import Scope
from worker.job.client_text import brief
from worker.process import roster
from worker.process.roster import Worker

blueprint = Blueprint("models", __name__, url_prefix="/v1/models")

# OpenAI's clients need a time in seconds since 1970. The registry has no dates of models.
CREATED = 0


@blueprint.get("")
@auth.needs(Scope.JOBS_READ)
@operation.describes(Operation("List models", {200: Answer("All models.", ModelList)}))
def page() -> Response:
    """List all models of the registry, in its order, then all detectors, with the live workers that can run them."""
    workers = roster.workers(services().keyspace)
    known: list[Published] = [*models.all_models().values(), *models.all_detectors().values()]
    return jsonify({"object": "list", "data": [_describe(spec, workers) for spec in known]})


@blueprint.get("/<path:name>")
@auth.needs(Scope.JOBS_READ)
@operation.describes(Operation("Read a model", {200: Answer("The model.", ModelObject)}, ("not_found",)))
def show(name: str) -> Response:
    """Return one model of the list, by its name or by its name in another library."""
    try:
        spec = models.find_any(name)
    except OvsegError:
        raise OvsegError("not_found", f"there is no model {brief(name)!r}") from None
    return jsonify(_describe(spec, roster.workers(services().keyspace)))


def _describe(spec: Published, workers: Sequence[Worker]) -> dict[str, Any]:
    """Return the model object. `workers` are all live workers."""
    defaults = (services().settings.default_model, services().settings.default_detector)
    with_model = [worker for worker in workers if spec.name in worker.models.installed]
    return {
        "id": spec.name,
        "object": "model",
        "created": CREATED,
        "owned_by": "ovseg",
        "is_default": spec.name in defaults,
        "prompts": sorted(spec.takes) if isinstance(spec, ModelSpec) else ["text"],
        "licence": spec.licence,
        "bytes": with_model[0].models.installed[spec.name] if with_model else spec.installed_bytes or spec.size,
        "input_size": spec.input_size if isinstance(spec, ModelSpec) else None,
        "engines": list(_engines(spec)),
        "installed": bool(with_model) if workers else None,
        "workers": [_describe_worker(worker, spec.name) for worker in with_model],
    }


def _engines(spec: Published) -> Sequence[str]:
    """Return the engines that can run the network."""
    if isinstance(spec, ModelSpec):
        return spec.family.engines
    return ("paddle",) if spec.network == detectors.PADDLE_INFERENCE else detectors.ENGINES


def _describe_worker(worker: Worker, model: str) -> dict[str, Any]:
    engine, precision = worker.models.loaded.get(model, (None, None))
    return {
        "worker": worker.name,
        "device": worker.device,
        "is_loaded": engine is not None,
        "engine": engine,
        "precision": precision,
    }

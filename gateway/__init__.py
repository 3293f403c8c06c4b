"""The HTTP API."""

from __future__ import annotations

from flask import Flask

from configs.settings import Settings
from gateway import (
    access_log,
    assets,
    auth,
    batches,
    breaker,
    bulk,
    chat,
    compression,
    console,
    cors,
    embeddings,
    endpoints,
    errors,
    events,
    files,
    fleet,
    handover,
    health,
    home,
    jobs,
    keys,
    live_events,
    metrics,
    models,
    origin,
    paddlex,
    query,
    quota_headers,
    rate_limits,
    request_id,
    sessions,
    uploads,
    usage,
    webhook_keys,
    webhook_secret,
)
from gateway.application import Application
from gateway.openapi import pages
from gateway.services import GatewayServices

# The modules with routes.
ROOMS = (
    jobs,
    files,
    live_events,
    bulk,
    batches,
    embeddings,
    uploads,
    models,
    events,
    endpoints,
    keys,
    sessions,
    usage,
    fleet,
    webhook_secret,
    webhook_keys,
    paddlex,
    chat,
    health,
    metrics,
    home,
    console,
    assets,
    pages,
)


def create_app(settings: Settings | None = None) -> Flask:
    """Return the gateway as a WSGI application; settings come from the environment unless given.

    Raises ValueError if the gateway may not listen: see `auth.is_required`.
    """
    settings = settings or Settings()
    app = Application(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask types `json` by its base class
    app.url_map.merge_slashes = False  # `//v1/jobs` gets a 404, not a redirect to the host in the Host header
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["ovseg"] = GatewayServices(settings)
    for room in ROOMS:
        app.register_blueprint(room.blueprint)
    errors.handle_all(app)
    request_id.attend(app)
    compression.attend(app)
    access_log.keep(app)
    origin.guard(app)
    breaker.guard(app)
    auth.guard(app)
    quota_headers.attend(app)
    rate_limits.guard(app)
    query.guard(app)
    cors.open_to(app, settings.cors_origins)
    handover.attend(app)
    return app

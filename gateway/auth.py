"""Requires an API key with the right scope, or a session of such a key, unless the service requires no keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from flask import Flask, request

from configs.host import is_loopback
from configs.settings import Settings
from gateway import credentials
from gateway.caller import Caller, set_caller
from gateway.known_keys import KnownKeys
from gateway.mark import Mark
from ovseg_core.errors import OvsegError
from worker.access.scope import Scope
from worker.store.tenant import DEFAULT

ANY: Final = "any"  # of the scopes: the view is for every key

# The scope that a view needs; None if it is open without a key. A view without this mark is for admins.
needs: Mark[Scope | Literal["any"] | None] = Mark(Scope.ADMIN)
# True for views that refuse every request while no keys are required: a stranger could make keys for later.
is_off_without_keys = Mark(False)
# Returns True if the settings open a view without a key.
open_if: Mark[Callable[[Settings], bool]] = Mark(lambda settings: False)


def is_required(settings: Settings) -> bool:
    """Return True if requests need a key. Raises ValueError if that must be decided before the gateway may listen."""
    if settings.auth is not None:
        return settings.auth == "required"
    if not is_loopback(settings.gateway_host):
        raise ValueError(
            f"the gateway would listen on {settings.gateway_host} without keys: set OVSEG_AUTH=required (`ovseg keys "
            "create --admin` makes the first key), or OVSEG_AUTH=off if every client that reaches it may do everything"
        )
    return False


def is_open(settings: Settings) -> bool:
    """Return True if the view of the current request answers without a key, even while keys are required."""
    return needs.of_view() is None or open_if.of_view()(settings)


def guard(app: Flask) -> None:
    """Check the key or the session of each request. Raises ValueError as `is_required`."""
    services = app.extensions["ovseg"]
    required = is_required(services.settings)

    @app.before_request
    def check() -> None:
        if request.endpoint is None or request.method == "OPTIONS":
            return  # no view answers: the path or the method is unknown, or Flask lists the methods
        scope = needs.of_view()
        if not required and is_off_without_keys.of_view():
            message = "this works only with OVSEG_AUTH=required; `ovseg keys` on the command line always works"
            raise OvsegError("auth_off", message)
        if not required or scope is None or is_open(services.settings):
            set_caller(Caller(DEFAULT))
            return
        known: KnownKeys = services.known_keys
        sent = credentials.of_request(known)
        key = known.checked(sent)
        if scope != ANY and not key.allows(scope):
            raise OvsegError("scope_missing", f"the key {key.id} lacks the scope {scope}")
        known.mark_used(key)
        set_caller(Caller(key.tenant, sent, key.rates))

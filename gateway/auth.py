"""Requires an API key with the right scope, unless the service requires no keys."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache
from flask import Flask, request
from redis import RedisError

from configs.host import is_loopback
from configs.settings import Settings
from gateway.caller import Caller, set_caller
from gateway.mark import Mark
from ovseg_core.errors import OvsegError
from worker.access.api_key import ApiKey, KeyText
from worker.access.keys import USED_EVERY_SECONDS, Keys
from worker.access.scope import Scope
from worker.store.tenant import DEFAULT

log = logging.getLogger(__name__)

# A revoked key works in this process for at most this long. The promise is one second, and a request may be slow.
REMEMBERED_SECONDS = 0.5
MAX_REMEMBERED = 4096  # keys; a record takes a kilobyte
MAX_HEADER = 512  # characters; a key has 64, and Basic authentication makes them half as long again

# The scope that a view needs; None if it is open without a key. A view without this mark is for admins.
needs: Mark[Scope | None] = Mark(Scope.ADMIN)
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
    """Check the key of each request. Raises ValueError as `is_required`."""
    services = app.extensions["ovseg"]
    required = is_required(services.settings)
    remembered = RememberedKeys(services.keys)

    @app.before_request
    def check() -> None:
        if request.endpoint is None or request.method == "OPTIONS":
            return  # no view answers: the path or the method is unknown, or Flask lists the methods
        scope = needs.of_view()
        if not required and is_off_without_keys.of_view():
            message = "this works only with OVSEG_AUTH=required; `ovseg keys` on the command line always works"
            raise OvsegError("auth_off", message)
        if not required or scope is None or is_open(services.settings):
            set_caller(Caller(None, DEFAULT))
            return
        key = _checked(remembered)
        if not key.allows(scope):
            raise OvsegError("scope_missing", f"the key {key.id} lacks the scope {scope}")
        remembered.mark_used(key)
        set_caller(Caller(key.id, key.tenant, key.rates))


class RememberedKeys:
    """The keys that were read from Redis within REMEMBERED_SECONDS. Thread-safe."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: LRUCache[str, tuple[float, ApiKey]] = LRUCache(MAX_REMEMBERED)
        self._lock = threading.Lock()

    def find(self, text: KeyText, now: datetime) -> ApiKey | None:
        """Return the key whose live secret this is, also if it is expired or revoked; None if there is no such key."""
        key = self._remembered(text.id)
        if key is None or not key.has_secret(text, now):
            key = self._read(text.id)  # it may have been created or rotated just now
        return key if key is not None and key.has_secret(text, now) else None

    def mark_used(self, key: ApiKey) -> None:
        """Record that a key is used. It is not worth failing a request if Redis cannot write now."""
        now = datetime.now(UTC)
        if key.last_used_at is not None and now - key.last_used_at < timedelta(seconds=USED_EVERY_SECONDS):
            return
        with self._lock:  # so that the next requests do not write it too
            read_at, known = self._known.get(key.id, (0.0, None))
            if known is key:  # not if another thread has read a newer record, which may be revoked
                self._known[key.id] = (read_at, replace(key, last_used_at=now))
        try:
            self._keys.mark_used(key.id)
        except RedisError as error:
            log.warning("key %s: its use could not be recorded: %s", key.id, error)

    def _remembered(self, key_id: str) -> ApiKey | None:
        with self._lock:
            read_at, key = self._known.get(key_id, (0.0, None))
        return key if time.monotonic() - read_at < REMEMBERED_SECONDS else None

    def _read(self, key_id: str) -> ApiKey | None:
        read_at = time.monotonic()  # not after the answer of Redis: the record may be as old as the question
        key = self._keys.get(key_id)
        if key is not None:
            with self._lock:
                self._known[key_id] = (read_at, key)
        return key


def _checked(remembered: RememberedKeys) -> ApiKey:
    """Return the live key of the current request. Raises OvsegError `key_required`, `key_invalid`."""
    text, now = sent_key(), datetime.now(UTC)
    key = remembered.find(text, now)
    if key is None:  # the same message for an unknown id and for a wrong secret: it must not show which ids exist
        raise OvsegError("key_invalid", "there is no such key")
    if (status := key.status(now)) != "live":
        raise OvsegError("key_invalid", f"the key {key.id} is {status}")
    return key


def sent_key() -> KeyText:
    """Return the key that the current request has: as Bearer token, or as the password of Basic authentication."""
    header = request.headers.get("Authorization")
    if header is None:
        raise OvsegError("key_required", "send a key of this service: Authorization: Bearer ovk_...")
    given = request.authorization if len(header) <= MAX_HEADER else None
    sent = None
    if given is not None:
        sent = {"bearer": given.token, "basic": given.get("password")}.get(given.type)
    text = KeyText.parse(sent or "")
    if text is None:
        message = "Authorization must be Bearer with a key (ovk_...), or Basic with a key as the password"
        raise OvsegError("key_invalid", message)
    return text

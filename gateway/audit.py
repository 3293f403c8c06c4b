"""The audit log: a line for each act of an admin over HTTP, each sign-in and sign-out. `ovseg keys` writes its own."""

from __future__ import annotations

import logging

from flask import request

from gateway.caller import caller

log = logging.getLogger(__name__)


def record(act: str, key_id: str | None = None) -> None:
    """Log what the holder of a key has done, by default of the key of the current request."""
    log.info("audit: by key %s from %s: %s", key_id or caller().key_id or "(none)", request.remote_addr, act)

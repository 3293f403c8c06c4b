"""The audit log: a line for each act of an admin over HTTP. `ovseg keys` writes its own."""

from __future__ import annotations

import logging

from flask import request

from gateway.caller import caller

log = logging.getLogger(__name__)


def record(act: str) -> None:
    """Log what the admin who sends the current request has done."""
    log.info("audit: by key %s from %s: %s", caller().key_id or "(none)", request.remote_addr, act)

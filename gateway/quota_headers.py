"""The headers RateLimit-Policy and RateLimit, as in draft-ietf-httpapi-ratelimit-headers."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from flask import Flask, Response, request

from gateway import errors
from worker.access import tenant_limits
from worker.access.quota import QuotaExceeded
from worker.store.clock import MINUTE

STANDINGS = "ovseg.standings"  # in the environ: a held request runs twice, and counts once
# The units of the policies about what a tenant has at a time. The others, about a minute, are named by their units.
UNITS = {tenant_limits.QUEUED_JOBS: "jobs", tenant_limits.STORED_BYTES: "bytes"}


@dataclass(frozen=True)
class Standing:
    """What a policy allows, and what is left of it until more is allowed."""

    policy: str
    quota: int
    remaining: int
    until: float  # time.monotonic

    @property
    def policy_item(self) -> str:
        """An item of RateLimit-Policy."""
        if unit := UNITS.get(self.policy):
            return f'"{self.policy}";q={self.quota};qu="{unit}"'
        return f'"{self.policy}";q={self.quota};w={MINUTE};qu="{self.policy}"'

    @property
    def item(self) -> str:
        """An item of RateLimit."""
        return f'"{self.policy}";r={self.remaining};t={max(math.ceil(self.until - time.monotonic()), 0)}'


def show(policy: str, quota: int, remaining: int, seconds: float) -> None:
    """Show in the answer to the current request what is left of a policy, until more is allowed in some seconds."""
    _standings().append(Standing(policy, quota, remaining, time.monotonic() + seconds))


def attend(app: Flask) -> None:
    """Add the headers to the answers, also to the refusals of other parts of the service."""

    @app.errorhandler(QuotaExceeded)
    def exceeded(error: QuotaExceeded) -> Response:
        show(error.policy, error.quota, error.remaining, error.retry_after)
        return errors.of_quota(error)

    @app.after_request
    def add(response: Response) -> Response:
        if standings := _standings():
            response.headers["RateLimit-Policy"] = ", ".join(standing.policy_item for standing in standings)
            response.headers["RateLimit"] = ", ".join(standing.item for standing in standings)
        return response


def _standings() -> list[Standing]:
    standings: list[Standing] = request.environ.setdefault(STANDINGS, [])
    return standings

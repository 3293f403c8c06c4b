"""What may go wrong: every error of the client is an `OvsegError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENDED = {"failed": "failed", "canceled": "was canceled", "expired": "has expired"}


class OvsegError(Exception):
    """The base of all errors of this client."""


class Unreachable(OvsegError):
    """No answer came from the service, also not after retries."""


class ImageUnreadable(OvsegError):
    """A file of this machine cannot be read, so nothing was sent."""


class Timeout(OvsegError):
    """The job or batch did not end within the time to wait. It continues.

    Attributes:
        job: The job or the batch, to wait for it again or to cancel it.
    """

    def __init__(self, message: str, job: Any) -> None:
        super().__init__(message)
        self.job = job


class JobFailed(OvsegError):
    """A job has ended without a result: it failed, was canceled or expired.

    Attributes:
        status: `failed`, `canceled` or `expired`.
        code: Why it failed, such as `image_unreadable`; None if the job was canceled or has expired.
        field: The field of the request that is wrong, or None.
        raw: The job object of the HTTP API.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        error = raw["error"] or {}
        self.status: str = raw["status"]
        self.code: str | None = error.get("code")
        self.field: str | None = error.get("field")
        self.raw = raw
        reason = f": {error['message']} ({self.code})" if error else ""
        super().__init__(f"job {raw['id']} {ENDED[self.status]}{reason}")


class ApiError(OvsegError):
    """The service refused a request. It is raised as one of the classes below if one of them fits.

    Attributes:
        status: The HTTP status.
        code: What is wrong, in a stable word, such as `invalid_prompt`.
        field: The first field that is wrong, such as `prompts[1].box`, or None.
        errors: Every field that is wrong, each with its `field`, `code` and `message`.
        problem: The body of the answer (RFC 9457).
        request_id: The request's id, by which it is found in the service's log.
        retry_after: Seconds until the service accepts another try, or None.
    """

    def __init__(
        self, status: int, problem: Mapping[str, Any], request_id: str | None = None, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.problem = problem
        self.code: str = str(problem.get("code") or f"http_{status}")
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or [])
        self.field: str | None = self.errors[0]["field"] if self.errors else None
        self.request_id = problem.get("request_id") or request_id
        self.retry_after = retry_after
        super().__init__(f"{problem.get('detail') or 'the service answered with an error'} ({status} {self.code})")


class InvalidRequest(ApiError):
    """The request or its image is wrong (400, 413, 415, 422): the same request would be refused again."""


class Unauthorized(ApiError):
    """There is no API key, or it is not valid (401)."""


class Forbidden(ApiError):
    """The API key may not do this (403)."""


class NotFound(ApiError):
    """There is no such job, batch or upload (404)."""


class Gone(NotFound):
    """It existed, and was deleted (410)."""


class Conflict(ApiError):
    """The job or the batch is in a state that does not allow this (409)."""


class RateLimited(ApiError):
    """Too much was sent in a minute (429), also after retries.

    Attributes:
        policies: The limits that were reached, such as `requests` or `stored-bytes`.
    """

    def __init__(
        self, status: int, problem: Mapping[str, Any], request_id: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(status, problem, request_id, retry_after)
        self.policies: list[str] = list(problem.get("violated-policies") or [])


class QuotaExceeded(RateLimited):
    """The tenant has as many jobs, batches or stored bytes as it may have (429)."""


class Unavailable(ApiError):
    """The service cannot work now (502, 503, 504), also after retries."""


BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: InvalidRequest,
    414: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: RateLimited,
    431: InvalidRequest,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
OF_A_MINUTE = {"requests", "prompts"}  # these limits are lifted by time; those of a tenant by its jobs' ends


def of_problem(
    status: int, problem: Mapping[str, Any], request_id: str | None = None, retry_after: float | None = None
) -> ApiError:
    """Return the error of an answer: `problem` is its body in RFC 9457's format, or empty."""
    kind = BY_STATUS.get(status, ApiError)
    if kind is RateLimited and not OF_A_MINUTE.issuperset(problem.get("violated-policies") or OF_A_MINUTE):
        kind = QuotaExceeded
    return kind(status, problem, request_id, retry_after)


class WebhookInvalid(OvsegError):
    """A webhook has no valid signature, or is too old. Answer it with 400."""

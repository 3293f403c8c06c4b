"""Sends a request until it is answered, for a bounded time."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
import tenacity

from ovseg_client import errors
from ovseg_client.steps import Open, Pause, Request, Steps, Transfer

# A proxy answers 502 and 504 in place of a service that restarts; 408 means that a slow network held the request up.
PASSING = {408, 429, 502, 503, 504}
# Full jitter: clients that lost the same gateway do not come back together.
BACKOFF = tenacity.wait_random_exponential(multiplier=0.5, max=20)


def until_answered(request: Request | Transfer | Open, seconds: float, deadline: Deadline) -> Steps[httpx2.Response]:
    """Return the answer, which is a success.

    The request is repeated if no answer came, or one that time may change. It is not repeated later than `seconds`
    after it failed first, nor after the deadline, and not at all if the service asks for a longer pause than is left.
    The time until the first failure does not count, because a request that waits for a job may take a minute.

    Raises:
        ApiError: The service refused the request.
        Unreachable: No answer came.
    """
    outage = Outage(seconds)

    def is_too_late(state: tenacity.RetryCallState) -> bool:
        return state.upcoming_sleep >= deadline.left(outage.left())

    retry = tenacity.retry_if_exception(_may_pass)
    loop = tenacity.Retrying(stop=is_too_late, wait=_pause, retry=retry, reraise=True)
    loop.begin()
    state = tenacity.RetryCallState(loop, fn=None, args=(), kwargs={})
    while True:
        action = loop.iter(state)
        if isinstance(action, tenacity.DoAttempt):
            try:
                state.set_result(_checked((yield request)))
            except Exception:
                state.set_exception(sys.exc_info())  # type: ignore[arg-type]
        elif isinstance(action, tenacity.DoSleep):
            state.prepare_for_next_attempt()
            yield Pause(action)
        else:
            answer: httpx2.Response = action
            return answer


def _checked(answer: httpx2.Response) -> httpx2.Response:
    """Return an answer that is a success, otherwise raise its error. A redirect may lead to another host: it is one."""
    if answer.is_success:
        return answer
    raise error_of(answer)


def error_of(answer: httpx2.Response) -> errors.ApiError:
    """Return the error of an answer whose body has been read."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None  # a proxy's page
    if not isinstance(problem, dict):
        problem = {}
    if answer.has_redirect_location:
        problem["detail"] = f"the service redirects to {answer.headers['Location']}, which the client does not follow"
    return errors.of_problem(
        answer.status_code, problem, answer.headers.get("X-Request-Id"), retry_after(answer.headers.get("Retry-After"))
    )


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a header Retry-After asks for: a number, or the time until a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, errors.Unreachable) or (isinstance(error, errors.ApiError) and error.status in PASSING)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome and state.outcome.exception()
    asked = (error.retry_after or 0.0) if isinstance(error, errors.ApiError) else 0.0
    return asked + BACKOFF(state)


class Deadline:
    """When something must have ended; without seconds, never."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        """Return the seconds that are left, at most so many, and not less than 0."""
        return at_most if self._end is None else min(at_most, max(0.0, self._end - time.monotonic()))


class Outage:
    """For how long requests or a stream have failed, and how long they may."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline: Deadline | None = None

    def end(self) -> None:
        """Something came, so the stream works."""
        self._deadline = None

    def left(self) -> float:
        """Note a failure. Return for how many more seconds failures are accepted."""
        self._deadline = self._deadline or Deadline(self._seconds)
        return self._deadline.left(self._seconds)

    def check(self, error: Exception) -> None:
        """Note a failure, and raise its error if there have been failures for too long."""
        if not self.left():
            raise error

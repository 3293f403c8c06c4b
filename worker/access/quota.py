"""The error of a client that has used up what a policy allows."""

from __future__ import annotations

from ovseg_core.errors import OvsegError


class QuotaExceeded(OvsegError):
    """A client exceeds the quota of a policy.

    Args:
        policy: the name of the policy, such as `requests`.
        message: meant for people.
        retry_after: in how many seconds the same request may succeed.
    """

    def __init__(self, policy: str, message: str, retry_after: int) -> None:
        super().__init__("quota_exceeded", message)
        self.policy = policy
        self.retry_after = retry_after

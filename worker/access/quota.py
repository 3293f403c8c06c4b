"""The error of a client that has used up what a policy allows."""

from __future__ import annotations

from ovseg_core.errors import OvsegError


class QuotaExceeded(OvsegError):
    """A client exceeds the quota of a policy.

    Args:
        policy: the name of the policy, such as `requests`.
        quota: what the policy allows.
        remaining: what is left of that, which is less than the client asked for.
        message: meant for people.
        retry_after: in how many seconds the same request may succeed.
    """

    def __init__(self, policy: str, quota: int, remaining: int, message: str, retry_after: int) -> None:
        super().__init__("quota_exceeded", message)
        self.policy = policy
        self.quota = quota
        self.remaining = remaining
        self.retry_after = retry_after

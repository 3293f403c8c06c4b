"""Which errors mean an outage of Redis or object storage: it passes, and neither the client nor our code caused it."""

from __future__ import annotations

from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

# Redis answers, but cannot write: its disk is full or broken, or too few replicas are connected.
TAKES_NO_WRITES = ("MISCONF", "NOREPLICAS")
BUSY = "BUSY"  # another client's script runs for too long


def is_one(error: BaseException) -> bool:
    """Return True if an error means an outage.

    A 4xx answer of storage does not. Nor does Redis's answer that a command is wrong: that is an error in our code.
    redis-py has a class for most states of a server; for the other states, the code is the first word of the message.
    """
    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR
    if type(error) in (ResponseError, NoScriptError):
        return str(error).startswith((*TAKES_NO_WRITES, BUSY))
    return isinstance(error, (RedisError, BotoCoreError))


def is_of_writes(error: BaseException) -> bool:
    """Return True if an error means that Redis can be read but not written."""
    if isinstance(error, ReadOnlyError):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(TAKES_NO_WRITES)

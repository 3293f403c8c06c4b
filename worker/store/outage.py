"""Redis or object storage is unreachable, which passes: neither the caller's fault nor the code's."""

from __future__ import annotations

from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

# Redis answers, but cannot write: its disk is full or broken, or too few replicas listen.
TAKES_NO_WRITES = ("MISCONF", "NOREPLICAS")
BUSY = "BUSY"  # another's script runs for too long


def is_one(error: BaseException) -> bool:
    """Whether an error says so; an answer that storage did give, but of 4xx, does not.

    Nor does Redis's answer that what it was asked is wrong: that is a fault of ours. redis-py has a class for most
    states of a server, and leaves the code of the others before the message.
    """
    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR
    if type(error) in (ResponseError, NoScriptError):
        return str(error).startswith((*TAKES_NO_WRITES, BUSY))
    return isinstance(error, (RedisError, BotoCoreError))


def is_of_writes(error: BaseException) -> bool:
    """Whether Redis can be read, and not written."""
    if isinstance(error, ReadOnlyError):
        return True
    return isinstance(error, ResponseError) and str(error).startswith(TAKES_NO_WRITES)

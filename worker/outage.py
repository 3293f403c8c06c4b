"""Redis or object storage is away: nobody's fault but time's."""

from __future__ import annotations

from http import HTTPStatus

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError


def is_one(error: BaseException) -> bool:
    """Whether an error says so; an answer that storage did give, but of 4xx, does not."""
    if isinstance(error, ClientError):
        return error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, (RedisError, BotoCoreError))

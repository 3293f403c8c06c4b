"""The answers of the chat's route, which `gateway.chat_completion` makes. Their names are OpenAI's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict


class ChatMessage(TypedDict):
    role: Literal["assistant"]
    content: Annotated[str, Field(description="a text, or JSON with `response_format`")]
    refusal: None


class Choice(TypedDict):
    index: int
    message: ChatMessage
    logprobs: None
    finish_reason: Annotated[Literal["stop", "length"], Field(description="`length` if objects were left out")]


class TokenUsage(TypedDict):
    """Zeros: there are no tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(TypedDict):
    id: Annotated[str, Field(description="the id of the job")]
    object: Literal["chat.completion"]
    created: Annotated[int, Field(description="seconds since 1970")]
    model: str
    choices: list[Choice]
    usage: TokenUsage


class ChatError(TypedDict):
    message: str
    type: Literal[
        "authentication_error", "invalid_request_error", "permission_error", "rate_limit_error", "server_error"
    ]
    param: Annotated[str | None, Field(description="the field of the request that is wrong")]
    code: str


class ChatProblem(TypedDict):
    """An error in OpenAI's envelope. `code` is that of a problem of the other routes."""

    error: ChatError

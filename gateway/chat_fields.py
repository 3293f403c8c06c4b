"""The body of a request to the chat: OpenAI's, as far as it has a meaning here. Other fields are ignored.

OpenAI's clients send what they need for language models, such as `temperature`; and OpenAI adds fields. A field that
would promise another answer is refused: several choices, or JSON of the client's own schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.chat_completion import Form
from ovseg_core.errors import OvsegError
from ovseg_core.vl.messages import Question
from worker.job.validation import shown_as

MAX_NAME_CHARACTERS = 256
# Fields of a job that the chat itself decides.
OF_CHAT = ("image", "model", "prompt", "promptType", "prompts")


class Lenient(BaseModel):
    model_config = ConfigDict(extra="allow")


class ImageUrl(Lenient):
    url: str = Field(description="http(s), or a data URL in base64")


class TextPart(Lenient):
    type: Literal["text"]
    text: str


class ImagePart(Lenient):
    type: Literal["image_url"]
    image_url: ImageUrl


class PromptPart(Lenient):
    """What OpenAI lacks: a prompt of a job."""

    type: Literal["prompt"]
    prompt: dict[str, Any]


class UserMessage(Lenient):
    role: Literal["user"]
    content: str | list[TextPart | ImagePart | PromptPart]


class OtherMessage(Lenient):
    """A message of another role, which is not read."""

    role: Literal["assistant", "developer", "function", "system", "tool"]


class ResponseFormat(Lenient):
    type: Literal["text", "json_object"]


class StreamOptions(Lenient):
    include_usage: bool = False


class ChatFields(Lenient):
    messages: Annotated[Any, shown_as(Annotated[list[UserMessage | OtherMessage], Field(min_length=1)])] = Field(
        description="the last one of the user is answered"
    )
    model: str | None = Field(default=None, max_length=MAX_NAME_CHARACTERS, description="one of the models")
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    ovseg: dict[str, Any] | None = Field(default=None, description="further fields of a job, such as `detection`")

    @property
    def form(self) -> Form:
        """The form of the answer."""
        has_usage = self.stream_options is not None and self.stream_options.include_usage
        is_json = self.response_format is not None and self.response_format.type == "json_object"
        return Form(bool(self.stream), has_usage, is_json)

    def job(self, question: Question, prompts: Any) -> dict[str, Any]:
        """Return the body of the job. It is interactive, because the client waits on its connection.

        Raises OvsegError `invalid_request` if there is not one image, or `ovseg` has a field that the chat decides.
        """
        if len(question.images) != 1 or not isinstance(question.images[0], str):
            message = f"{len(question.images)} images; one message must have exactly one, as image_url"
            raise OvsegError("invalid_request", message, question.field)
        given = self.ovseg or {}
        if decided := sorted(given.keys() & set(OF_CHAT)):
            message = f"the messages and `model` decide {', '.join(decided)}; leave it out here"
            raise OvsegError("invalid_request", message, f"ovseg.{decided[0]}")
        return {
            "priority": "interactive",
            **given,
            "model": self.model,
            "image": question.images[0],
            "prompts": prompts,
        }

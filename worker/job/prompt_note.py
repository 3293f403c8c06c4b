"""What a request has about each of its prompts besides the prompt: the client's words for it, and why it is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_serializer

from ovseg_core.errors import OvsegError

MAX_ID_CHARACTERS, MAX_NAME_CHARACTERS = 64, 128
MAX_ID = 2**53 - 1  # JavaScript and other readers of doubles read larger integers with errors


def _id(value: object) -> object:
    """Check an id: data sets such as COCO number their objects, others have texts."""
    is_integer = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_ID
    if not is_integer and not (isinstance(value, str) and len(value) <= MAX_ID_CHARACTERS):
        raise ValueError(f"must be a text of at most {MAX_ID_CHARACTERS} characters, or an integer of at most 53 bits")
    return value


ID_SCHEMA = {
    "anyOf": [
        {"type": "string", "maxLength": MAX_ID_CHARACTERS},
        {"type": "integer", "minimum": -MAX_ID, "maximum": MAX_ID},
    ]
}
PromptId = Annotated[Any, BeforeValidator(_id), WithJsonSchema(ID_SCHEMA)]
PromptName = Annotated[str, Field(max_length=MAX_NAME_CHARACTERS)]


class Skipped(BaseModel):
    """Why a prompt is skipped: the fields of an OvsegError."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    field: str | None

    @classmethod
    def of(cls, error: OvsegError) -> Skipped:
        return cls(code=error.code, message=error.message, field=error.field)


class PromptNote(BaseModel):
    """The `id` and `name` that a client gave to a prompt, not interpreted, and the `error` of a skipped prompt."""

    model_config = ConfigDict(frozen=True)

    id: PromptId | None = None
    name: PromptName | None = None
    error: Skipped | None = None

    @property
    def words(self) -> dict[str, Any]:
        """The client's words for the prompt, by name, as far as it gave any."""
        return {name: value for name, value in (("id", self.id), ("name", self.name)) if value is not None}

    @model_serializer
    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not None, as values for JSON."""
        return self.words if self.error is None else {**self.words, "error": self.error.model_dump()}


def of(found: Sequence[object], words: Sequence[tuple[Any, str | None]]) -> tuple[PromptNote, ...] | None:
    """Return a note for each prompt of a request; None if there is nothing to note.

    Args:
        found: for each prompt the prompt, or the OvsegError for which it is skipped.
        words: the id and the name of each prompt; empty if the request cannot have them.
    """
    errors = [Skipped.of(each) if isinstance(each, OvsegError) else None for each in found]
    both = zip(words or [(None, None)] * len(found), errors, strict=True)
    notes = tuple(PromptNote(id=prompt_id, name=name, error=error) for (prompt_id, name), error in both)
    return notes if any(note != PromptNote() for note in notes) else None

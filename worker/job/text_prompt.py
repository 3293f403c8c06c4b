"""Text prompts of a request: phrases, whose objects a detector finds before the model segments them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import readable
from ovseg_core.prompts import Box, Prompt

LABEL = "text_prompt"  # of a mask whose object a detector found


class StoredTextPrompt(BaseModel):
    """One text prompt, as the record of a job stores it.

    Attributes:
        position: among the prompts that the client sent, from 0; skipped ones count too.
        text: a phrase or several, in the client's words.
        box: (x0, y0, x1, y1) in pixels. Only an object counts that has at least half of its box in it; None
            for all.
    """

    model_config = ConfigDict(frozen=True)

    position: int
    text: str | tuple[str, ...]
    box: Box | None = None

    @classmethod
    def of(cls, position: int, text: str | list[str], box: Box | None = None) -> StoredTextPrompt:
        """Check phrases that a client sent.

        Raises OvsegError `phrase_empty`, `phrase_too_long` or `phrase_unreadable`; its `field` is `text` or `text[k]`.
        """
        if not text:
            raise OvsegError("phrase_empty", "there is no phrase to search for", "text")
        prompt = cls(position=position, text=text if isinstance(text, str) else tuple(text), box=box)
        for k, phrase in enumerate(prompt.phrases):
            try:
                readable.check(phrase)
            except OvsegError as error:
                raise error.at(prompt.field_of(k)) from None
        return prompt

    @model_serializer(mode="wrap")
    def _without_absent_box(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if name != "box" or value is not None}

    @property
    def phrases(self) -> tuple[str, ...]:
        """The phrases; a text that is no list is one."""
        return (self.text,) if isinstance(self.text, str) else self.text

    def field_of(self, phrase_index: int) -> str:
        """Return the field of a phrase in the prompt: `text` or `text[k]`."""
        return "text" if isinstance(self.text, str) else f"text[{phrase_index}]"

    def within(self, image_hw: tuple[int, int]) -> None:
        """Raise OvsegError `box_outside_image` if the whole box is outside an image of this height and width."""
        if self.box is not None:
            Prompt(box=self.box).within(image_hw)

    def to_dict(self) -> dict[str, Any]:
        """Return the prompt in the API's JSON."""
        text: Any = self.text if isinstance(self.text, str) else list(self.text)
        return {"text": text} if self.box is None else {"text": text, "box": list(self.box)}

"""Phrases in PaddleX's spelling of prompts, `promptType: "text"`, which PaddleX lacks."""

from __future__ import annotations

from collections.abc import Mapping

from ovseg_core.errors import OvsegError
from worker.job.text_prompt import StoredTextPrompt

TEXT = "text"


def split(body: object) -> tuple[list[str] | None, object]:
    """Return the phrases in a body, and the rest of the body.

    Without `promptType: "text"` these are None and the whole body. `prompt` is a list of phrases, or a string of
    phrases that is split at full stops.

    Raises OvsegError `prompts_missing`, `phrase_empty`, `invalid_value` or `invalid_request`.
    """
    if not isinstance(body, Mapping) or body.get("promptType") != TEXT:
        return None, body
    if body.get("prompts") is not None:
        raise OvsegError("invalid_request", "give either prompts, or prompt and promptType", "prompts")
    return _phrases(body.get("prompt")), {
        name: value for name, value in body.items() if name not in ("prompt", "prompts", "promptType")
    }


def prompt(position: int, phrase: str) -> StoredTextPrompt:
    """Return the prompt for one phrase. Raises OvsegError as `StoredTextPrompt.of`, without a field."""
    try:
        return StoredTextPrompt.of(position, phrase)
    except OvsegError as error:
        raise OvsegError(error.code, error.message) from None


def _phrases(given: object) -> list[str]:
    if given is None:
        raise OvsegError("prompts_missing", "required with promptType: a list of phrases, or a text", "prompt")
    if isinstance(given, str):
        if not (found := at_stops(given)):
            raise OvsegError("phrase_empty", "there is no phrase to search for", "prompt")
        return found
    if not isinstance(given, list):
        raise OvsegError("invalid_value", "must be a list of phrases, or a text with a full stop after each", "prompt")
    for i, phrase in enumerate(given):
        if not isinstance(phrase, str):
            raise OvsegError("invalid_value", "must be a phrase", f"prompt[{i}]")
    return given


def at_stops(text: str) -> list[str]:
    """Return the phrases of a text with a full stop after each."""
    return [phrase.strip() for phrase in text.split(".") if phrase.strip()]

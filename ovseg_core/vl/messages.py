"""Reads messages in the format of OpenAI's chat: which text, which images and which prompts they ask about.

The library and the gateway use this module, so it imports no NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ovseg_core.errors import OvsegError

ROLES = ("assistant", "developer", "function", "system", "tool", "user")
PARTS = ("text", "image_url", "prompt")


@dataclass(frozen=True)
class Question:
    """What the last message of the user asks.

    Attributes:
        text: its text, a line for each part.
        images: its images, as they are given in `image_url`; if it has none, those of the latest message that has some.
        prompts: its prompts, in the JSON of the API.
        field: its place in the messages, such as "messages[2]".
    """

    text: str
    images: tuple[Any, ...]
    prompts: tuple[Mapping[str, Any], ...]
    field: str


@dataclass(frozen=True)
class _Part:
    kind: str
    value: Any


def read(messages: Any, field: str = "messages") -> Question:
    """Read messages.

    Only the last message of the user is answered, because no language model remembers what was said before. Messages
    of other roles are not read.

    Args:
        messages: [{"role": "user", "content": a text or a list of parts}, ...]. A part is {"type": "text", "text":
            ...}; {"type": "image_url", "image_url": {"url": ...}}; or {"type": "prompt", "prompt": {"box": [...],
            ...}}.
        field: the name of `messages` in errors.

    Raises:
        OvsegError: `invalid_request`; its `field` names the place.
    """
    if not isinstance(messages, list) or not messages:
        raise _invalid("must be a list of messages", field)
    asked = [(where, parts) for where, role, parts in _read(messages, field) if role == "user"]
    if not asked:
        raise _invalid("there is no message with the role user", field)
    where, parts = asked[-1]
    images = next((found for _, each in reversed(asked) if (found := _values(each, "image_url"))), [])
    return Question("\n".join(_values(parts, "text")), tuple(images), tuple(_values(parts, "prompt")), where)


def _read(messages: list[Any], field: str) -> Iterator[tuple[str, str, list[_Part]]]:
    for i, message in enumerate(messages):
        where = f"{field}[{i}]"
        if not isinstance(message, Mapping) or message.get("role") not in ROLES:
            raise _invalid(f"must be a message with a role: {', '.join(ROLES)}", where)
        role, content = message["role"], message.get("content")
        if role != "user":
            continue
        if isinstance(content, str):
            yield where, role, [_Part("text", content)]
        elif isinstance(content, list):
            yield where, role, [_part(part, f"{where}.content[{k}]") for k, part in enumerate(content)]
        else:
            raise _invalid("must be a string or a list of parts", f"{where}.content")


def _part(part: Any, where: str) -> _Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in PARTS:
        raise _invalid(f"must be a part with a type: {', '.join(PARTS)}", where)
    value = part.get(kind)
    if kind == "image_url":
        value = value.get("url") if isinstance(value, Mapping) else value
        if value is None:
            raise _invalid("must be {'url': ...}", f"{where}.image_url")
    elif not isinstance(value, str if kind == "text" else Mapping):
        raise _invalid("must be a string" if kind == "text" else "must be a mapping", f"{where}.{kind}")
    return _Part(kind, value)


def _values(parts: list[_Part], kind: str) -> list[Any]:
    return [part.value for part in parts if part.kind == kind]


def _invalid(message: str, field: str) -> OvsegError:
    return OvsegError("invalid_request", message, field)

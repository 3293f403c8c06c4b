"""Reads a text as what to segment: phrases, boxes, points, or everything. It is not a language model.

- A text is read line by line. Commas, semicolons and full stops separate phrases: `dog, remote control`.
- `box: 10,20,200,300` is the object in a box (x0, y0, x1, y1), and `point: 10,20` the object under a point, in pixels
  of the image. `point: 10,20,0` is a point that is not on the object.
- The points of a line are one object. A box begins a further object, and points after it belong to it.
- A line with phrases and a box searches for the phrases inside the box.
- An empty text and the sentences in EVERYTHING ask for all objects. If the text also has prompts, they have no effect.

The library and the gateway use this module, so it imports no NumPy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovseg_core.errors import OvsegError

EVERYTHING = frozenset(
    {
        "all objects",
        "describe the image",
        "describe the picture",
        "describe this image",
        "describe this picture",
        "everything",
        "segment all objects",
        "segment anything",
        "segment everything",
        "what is in this image",
        "what's in this image",
        "描述这张图片",  # "describe this image"
    }
)
# `*+` never backtracks: a text from outside may have a megabyte of spaces.
MARK = re.compile(r"\b(box|point)\s*+:", re.IGNORECASE)
NUMBER = r"[+-]?\d{1,9}(?:\.\d{1,9})?"
NUMBERS = re.compile(rf"\s*+[(\[]?\s*+({NUMBER}(?:(?>\s*,\s*|\s+){NUMBER}){{0,4}})(?!\d|\.\d|\s*+,\s*+\d)\s*+[)\]]?")
BETWEEN_PHRASES = re.compile(r"[,;\uff0c\uff1b\u3002]|\.(?=\s|$)")  # also the Chinese comma, semicolon and full stop
RULES = {"box": "box: x0,y0,x1,y1", "point": "point: x,y or point: x,y,0"}


@dataclass(frozen=True)
class Instruction:
    """What to segment in an image.

    Attributes:
        prompts: in the JSON of the API: {"text": [phrase, ...]}, perhaps with "box"; or {"box": ..., "points": ...,
            "labels": ...}. No prompts mean everything.
    """

    prompts: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def of(cls, text: str, prompts: Sequence[Mapping[str, Any]] = ()) -> Instruction:
        """Read a text, as the docstring of this module describes.

        Args:
            text: of any number of lines.
            prompts: further prompts, which are added at the end.

        Raises:
            OvsegError: `invalid_prompt` if a box or a point of the text is not written in the form of RULES.
        """
        phrases: list[str] = []
        others: list[Mapping[str, Any]] = []
        for line in text.splitlines():
            words, marked = _marked(line)
            found = [] if _is_everything(words) else _phrases(words)
            if found and marked:
                others.append(_inside(found, marked))
            elif marked:
                others += marked
            else:
                phrases += found
        of_phrases = [{"text": list(dict.fromkeys(phrases))}] if phrases else []
        return cls((*of_phrases, *others, *prompts))

    @property
    def is_everything(self) -> bool:
        """True if all objects of the image are asked for."""
        return not self.prompts

    @property
    def count(self) -> int:
        """Number of phrases and other prompts."""
        return sum(len(prompt["text"]) if isinstance(prompt.get("text"), list) else 1 for prompt in self.prompts)


def _marked(line: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the words of a line that are not boxes or points, and the prompts of its boxes and points."""
    first, *marks = MARK.split(line)
    words = [first]
    prompts: list[dict[str, Any]] = []
    for kind, text in zip(marks[::2], marks[1::2], strict=True):
        kind = kind.lower()
        numbers, after = _numbers(kind, text)
        words.append(after)
        if kind == "box":
            prompts.append({"box": numbers})
            continue
        if not prompts:
            prompts.append({})
        *xy, label = numbers if len(numbers) == 3 else [*numbers, 1.0]
        prompts[-1].setdefault("points", []).append(xy)
        prompts[-1].setdefault("labels", []).append(int(label))
    return ", ".join(words), prompts


def _numbers(kind: str, text: str) -> tuple[list[float], str]:
    """Return the numbers at the beginning of a text, as many as a box or a point has, and the rest of the text."""
    found = NUMBERS.match(text)
    numbers = [float(number) for number in re.findall(NUMBER, found[1])] if found else []
    is_right = len(numbers) == 4 if kind == "box" else len(numbers) in (2, 3)
    if found is None or not is_right or (len(numbers) == 3 and numbers[2] not in (0, 1)):
        shown = f"{kind}:{text[:40].rstrip()}"
        raise OvsegError("invalid_prompt", f"{shown!r} must be written as {RULES[kind]}")
    return numbers, text[found.end() :]


def _inside(phrases: list[str], marked: list[dict[str, Any]]) -> dict[str, Any]:
    if len(marked) > 1 or marked[0].keys() != {"box"}:
        message = f"{', '.join(phrases)!r}: phrases may share a line with one box, in which they are searched for"
        raise OvsegError("invalid_prompt", message)
    return {"text": phrases, **marked[0]}


def _phrases(words: str) -> list[str]:
    return list(_stripped(BETWEEN_PHRASES.split(words)))


def _stripped(parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        if phrase := part.strip(" \t-*•\"'“”"):
            yield phrase


def _is_everything(words: str) -> bool:
    plain = " ".join(words.lower().replace("\u2019", "'").strip(" \t.,;!?\u3002\uff1f\uff01").split())
    return plain in EVERYTHING

"""The forms in which a pipeline takes prompts: pairs of text and images, messages, and lists of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovseg_core.errors import OvsegError
from ovseg_core.image_source import ImageSource
from ovseg_core.paddlex import plain
from ovseg_core.paddlex.prompting import Given
from ovseg_core.prompts import Prompt
from ovseg_core.text_prompt import TextPrompt
from ovseg_core.vl import messages
from ovseg_core.vl.engine_config import EngineConfig
from ovseg_core.vl.generation_config import GenerationConfig
from ovseg_core.vl.instruction import Instruction
from ovseg_core.vl.loading import SCHEMES

FORMS = "a prompt is (text, image), (text, [image, ...]) or a list of messages"


@dataclass(frozen=True)
class Request:
    """One prompt, parsed: what to segment in which images. Without `asked`, everything."""

    asked: tuple[TextPrompt | Prompt, ...]
    images: tuple[ImageSource, ...]
    config: GenerationConfig

    @classmethod
    def of(cls, prompt: Any, config: GenerationConfig, limits: EngineConfig) -> Request:
        """Parse a prompt.

        Raises:
            OvsegError: the text, a message or a prompt in it is wrong, or has more than `limits` allows.
            ValueError: the prompt has another form, or no image.
        """
        prompts: Sequence[Mapping[str, Any]] = ()
        if isinstance(prompt, list):
            question = messages.read(prompt)
            text, images, prompts = question.text, question.images, question.prompts
        elif isinstance(prompt, tuple) and len(prompt) == 2:
            text, images = _text_and_images(*prompt)
        else:
            raise ValueError(f"{FORMS}, not {type(prompt).__name__}")
        if not images:
            raise ValueError(f"the prompt has no image; {FORMS}")
        instruction = Instruction.of(text, prompts)
        _check("too_many_images", "images", len(images), limits.max_images)
        _check("too_many_prompts", "phrases, boxes and points", instruction.count, limits.max_prompts)
        return cls(tuple(_parsed(one, config) for one in instruction.prompts), images, config)

    @property
    def has_text(self) -> bool:
        """True if a detector is needed."""
        return any(isinstance(one, TextPrompt) for one in self.asked)


def is_single(prompts: Any) -> bool:
    """Return True for one prompt, which may be a list of messages; False for a list of prompts."""
    return not isinstance(prompts, list) or (bool(prompts) and isinstance(prompts[0], dict))


def _text_and_images(first: Any, second: Any) -> tuple[str, tuple[ImageSource, ...]]:
    """Return the text and the images of a pair in either order."""
    is_image = not isinstance(first, str) or (isinstance(second, str) and first.startswith(SCHEMES))
    text, images = (second, first) if is_image else (first, second)
    if not isinstance(text, str):
        raise ValueError(f"{FORMS}; the text must be a string, not {type(text).__name__}")
    return text, tuple(images) if isinstance(images, list | tuple) else (images,)


def _parsed(prompt: Any, config: GenerationConfig) -> TextPrompt | Prompt:
    if "text" not in prompt:
        [parsed] = Given.of({"mixed_prompt": [prompt]}).prompts
        return parsed
    if unknown := prompt.keys() - {"text", "box"}:
        raise OvsegError("invalid_prompt", f"a prompt with text may have a box, not {', '.join(map(str, unknown))}")
    text, box = prompt["text"], prompt.get("box")
    phrases = [text] if isinstance(text, str) else plain.rows(plain.of(text), "text")
    if wrong := [phrase for phrase in phrases if not isinstance(phrase, str)]:
        raise ValueError(f"text must be a phrase or a list of phrases, not {plain.shown(wrong[0])}")
    region = None if box is None else Prompt.of(box=plain.numbers(plain.of(box), "box")).box
    return TextPrompt(tuple(phrases), config, region)


def _check(code: str, of: str, count: int, maximum: int) -> None:
    if count > maximum:
        raise OvsegError(code, f"{count} {of} in one prompt; at most {maximum} are allowed")

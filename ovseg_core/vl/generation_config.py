"""What a caller may choose for a prompt: which objects are found, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ovseg_core.errors import OvsegError
from ovseg_core.everything.options import EverythingOptions
from ovseg_core.grounding_dino.options import DetectionOptions

# Options of LMDeploy's class, by which a language model chooses words.
OF_LANGUAGE_MODELS = ("do_sample", "max_new_tokens", "random_seed", "temperature", "top_k", "top_p")


@dataclass(frozen=True)
class GenerationConfig(DetectionOptions):
    """How objects are found, where LMDeploy's class of this name describes how words are chosen.

    Nothing is random: the same prompt always has the same answer.

    Args:
        box_threshold: for phrases, as in `DetectionOptions`.
        text_threshold: for phrases, as in `DetectionOptions`.
        max_objects: maximum number of objects that a list of phrases or everything mode finds in an image; the best are
            kept. 1 to 10,000. Boxes and points always have one object each.
        nms_threshold: for phrases, as in `DetectionOptions`.
        class_agnostic_nms: for phrases, as in `DetectionOptions`.
        everything: options of everything mode by the names of `EverythingOptions`, instead of the model's defaults.

    Raises:
        OvsegError: `invalid_options`; its `field` is the name of the wrong option. Also for an option of a language
            model, such as `temperature`.
    """

    everything: Mapping[str, Any] = field(default_factory=dict)

    def __new__(cls, *args: Any, **given: Any) -> Self:
        for name in OF_LANGUAGE_MODELS:
            if name in given:
                message = f"{name} is for language models, which choose words; here it has no meaning, leave it out"
                raise OvsegError("invalid_options", message, name)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        super().__post_init__()
        EverythingOptions().changed(self.everything)

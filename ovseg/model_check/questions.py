"""The prompts of `ovseg models check`: objects in the photo of the demo, which have clear outlines."""

from __future__ import annotations

from ovseg_core.models import ModelSpec
from ovseg_core.paddle_inference.folder import PROMPT_TYPES, InferenceFolder
from ovseg_core.prompts import Prompt

HEAD, SHUTTLE, HELMET = (140, 10, 305, 180), (340, 4, 462, 300), (278, 345, 505, 512)  # x0, y0, x1, y1 in pixels

QUESTIONS: dict[str, list[Prompt]] = {
    "box": [Prompt.of(box) for box in (HEAD, SHUTTLE, HELMET)],
    "point": [Prompt.of(points=[xy]) for xy in ((220, 90), (390, 430), (100, 400))],  # head, visor, suit
    # The background next to the head is not on the object.
    "box with points": [Prompt.of(HEAD, [(220, 90), (300, 20)], [1, 0])],
}


def of_model(spec: ModelSpec) -> dict[str, list[Prompt]]:
    """Return the prompts that an installed model can take, by their kind.

    Raises ValueError if a folder is not an inference model of PaddleX.
    """
    if not spec.is_folder:
        return QUESTIONS
    kind = PROMPT_TYPES[InferenceFolder.read(spec.weights).model_name]
    return {kind: QUESTIONS[kind]}

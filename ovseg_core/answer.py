"""A mask together with the prompt that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ovseg_core.found_box import FoundBox
    from ovseg_core.mask import Mask
    from ovseg_core.prompts import Prompt


@dataclass(frozen=True, eq=False)
class Answer:
    """One mask, and the prompt that it answers. A prompt may have one answer, several or none.

    The answers of one prompt follow each other. If they are candidates, the mask with the highest predicted IoU is
    first.

    Attributes:
        mask: the mask, in pixels of the image.
        prompt: the prompt. In everything mode, the point of the grid that found the mask.
        prompt_index: position of the prompt in its request, from 0. In everything mode always 0.
        stability_score: 0 to 1, how little the mask changes if its threshold is moved (Segment Anything,
            https://arxiv.org/abs/2304.02643, section 5); None if it was not computed.
        is_of_everything: True if everything mode found the mask.
        found: for a text prompt, the box that a detector found, which `prompt` is; None for other prompts.
    """

    mask: Mask
    prompt: Prompt
    prompt_index: int
    stability_score: float | None = None
    is_of_everything: bool = False
    found: FoundBox | None = None


def of(prompts: Sequence[Prompt], masks: Sequence[Sequence[Mask]]) -> list[Answer]:
    """Return the answers to a request's prompts, in the order of the prompts.

    Args:
        prompts: the prompts of the request.
        masks: for each prompt its masks, the best first.
    """
    both = enumerate(zip(prompts, masks, strict=True))
    return [Answer(mask, prompt, i) for i, (prompt, several) in both for mask in several]

"""Known good answers to the prompts of `ovseg models check`, in a JSON file for each model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ovseg_core import rle
from ovseg_core.mask import Mask
from ovseg_core.prompts import Prompt

FOLDER = Path(__file__).parent / "answers"

# How far answers may be from the known ones: the smallest IoU of a mask, and the largest difference of predicted IoU.
# In float32 the engines differ by less than 0.001. SAM-Lite's clicks in int8 have an IoU of 0.957.
EXACT, ROUNDED = (0.98, 0.02), (0.9, 0.1)


@dataclass(frozen=True)
class KnownMask:
    """A mask, as COCO's compressed RLE of the whole photo, and its predicted IoU, or None if the model gives none."""

    counts: str
    score: float | None


@dataclass(frozen=True)
class Answers:
    """Answers of a model to prompts on the photo.

    Attributes:
        made_by: the program that computed them, with its version, engine and precision.
        weights_sha256: of the weights that it used.
        image_hw: height and width of the photo in pixels.
        by_prompt: the answers, by the prompt in JSON.
    """

    made_by: str
    weights_sha256: str
    image_hw: tuple[int, int]
    by_prompt: Mapping[str, KnownMask]

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Read a file. Raises ValueError if it is not one that `write` wrote."""
        try:
            found = json.loads(path.read_text())
            by_prompt = {prompt: KnownMask(**fields) for prompt, fields in found["by_prompt"].items()}
            height, width = found["image_hw"]
            return cls(found["made_by"], found["weights_sha256"], (height, width), by_prompt)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ValueError(f"{path} is not a file that `ovseg models check --record` wrote") from None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def agreement(self, prompt: Prompt, candidates: Sequence[Mask]) -> tuple[float, float] | None:
        """Compare masks that a prompt may mean with the known answer; None if there is none.

        A click is ambiguous, and in another precision the model may prefer another of its meanings. Therefore the
        candidate that is most similar to the known answer is compared.

        Returns:
            IoU with the known mask, and difference of the predicted IoU (0 without one).
        """
        known = self.by_prompt.get(key(prompt))
        if known is None:
            return None
        ious = [rle.iou(mask.counts, known.counts, self.image_hw) for mask in candidates]
        best = max(range(len(candidates)), key=ious.__getitem__)
        scores = candidates[best].score, known.score
        return ious[best], 0.0 if None in scores else abs(scores[0] - scores[1])  # type: ignore[operator]


def key(prompt: Prompt) -> str:
    return json.dumps(prompt.to_dict())


def of_model(name: str) -> Answers | None:
    """Return the known answers of a model that are part of this package, or None."""
    path = FOLDER / f"{name}.json"
    return Answers.read(path) if path.is_file() else None

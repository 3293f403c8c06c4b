"""Known good boxes of the phrases of `ovseg models check`, in a JSON file for each detector."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ovseg.model_check.answers import FOLDER

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels


@dataclass(frozen=True)
class KnownBox:
    """A box, and its score from 0 to 1."""

    box_xyxy: Box
    score: float


@dataclass(frozen=True)
class BoxAnswers:
    """The best box of each phrase on the photo.

    Attributes:
        made_by: the program that computed them, with its version and engine.
        weights_sha256: of the weights that it used.
        by_phrase: the boxes, by the phrase.
    """

    made_by: str
    weights_sha256: str
    by_phrase: Mapping[str, KnownBox]

    @classmethod
    def read(cls, path: Path) -> BoxAnswers:
        """Read a file. Raises ValueError if it is not one that `write` wrote."""
        try:
            found = json.loads(path.read_text())
            by_phrase = {phrase: _found(**fields) for phrase, fields in found["by_phrase"].items()}
            return cls(found["made_by"], found["weights_sha256"], by_phrase)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ValueError(f"{path} is not a file that `ovseg models check --record` wrote for a detector") from None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")


def _found(box_xyxy: list[float], score: float) -> KnownBox:
    x0, y0, x1, y1 = map(float, box_xyxy)
    return KnownBox((x0, y0, x1, y1), float(score))


def iou(a: Box, b: Box) -> float:
    """Return the IoU of two boxes."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return width * height / max(sum(areas) - width * height, 1e-9)


def of_detector(name: str) -> BoxAnswers | None:
    """Return the known answers of a detector that are part of this package, or None."""
    path = FOLDER / f"{name}.json"
    return BoxAnswers.read(path) if path.is_file() else None

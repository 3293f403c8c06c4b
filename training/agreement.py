"""How well the masks of another precision agree with those of float32, by prompt, on labelled photos.

A click has several candidates. Where two of them are almost equally likely, a tiny difference of the features chooses
another one, and with it another object. These choices cost clicks most of their agreement, so they are counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ovseg_core import rle
from ovseg_core.embedding import Embedding
from ovseg_core.models.locating import located
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from training import things
from training.answers import correction
from training.evaluate import timings
from training.figures import mean_and_error
from training.photos import Photo, split
from training.things import Mask

CLICKS = ("1 click", "2 clicks", "3 clicks")  # each corrects the mask of float32 before it


@dataclass(frozen=True)
class Row:
    """The agreement for one prompt of one thing."""

    photo: str
    prompt: str
    iou: float
    is_other: bool  # the mask fits another candidate of float32 better than the chosen one


def rows(in_float32: Segmenter, other: Segmenter, photos: Iterable[Photo]) -> Iterator[Row]:
    """Yield the agreement for every prompt."""
    for photo in tqdm(photos, unit="photo", ascii=True, mininterval=5):
        if not (expected := things.of(photo)):
            continue
        models = [(model, model.encode(photo.pixels())) for model in (in_float32, other)]
        for _, iou, is_other in _compared(models, [Prompt(box=thing.box) for thing in expected]):
            yield Row(photo.name, "box", iou, is_other)
        clicks = [Prompt(points=(thing.click,), labels=(1,)) for thing in expected]
        for name in CLICKS:
            for i, (mask, iou, is_other) in enumerate(_compared(models, clicks)):
                yield Row(photo.name, name, iou, is_other)
                xy, label = correction(mask, expected[i].mask)
                clicks[i] = Prompt(points=(*clicks[i].points, xy), labels=(*clicks[i].labels, label))


def _compared(
    models: Sequence[tuple[Segmenter, Embedding]], prompts: Sequence[Prompt]
) -> list[tuple[Mask, float, bool]]:
    """Return the first model's mask of each prompt, and `iou` and `is_other` of the second model's."""
    (first, embedding), (second, other_embedding) = models
    found = []
    for candidates, other in zip(
        first.candidates(embedding, prompts), second.decode(other_embedding, prompts), strict=True
    ):
        ious = [rle.iou(mask.counts, other.counts, embedding.frame.image_hw) for mask in candidates]
        found.append((candidates[0].full(), ious[0], max(ious) > ious[0]))
    return found


def table(measured: Iterable[Row]) -> str:
    """Return a Markdown table with a line per prompt: mean IoU with its standard error, and the share of others."""
    by_prompt: dict[str, list[Row]] = defaultdict(list)
    for row in measured:
        by_prompt[row.prompt].append(row)
    lines = ["| prompt | masks | IoU with float32 | another candidate |", "|---|---|---|---|"]
    for prompt, several in by_prompt.items():
        mean, error = mean_and_error([row.iou for row in several], [row.photo for row in several])
        share = sum(row.is_other for row in several) / len(several)
        lines.append(f"| {prompt} | {len(several)} | {mean:.3f} ± {error:.3f} | {share:.3f} |")
    return "\n".join(lines)


def evaluate(folders: Sequence[Path], precision: str, weights: Path | None, on_trial: bool, count: int | None) -> None:
    """Print the table, and the times of both precisions.

    Args:
        folders: photos in COCO's format.
        precision: of the masks that are compared with those of float32.
        weights: of SAM-Lite, instead of the shipped ones.
        on_trial: use the photos for trials instead of those that are held out.
        count: of the photos, evenly sampled; all by default.
    """
    photos = split(folders)
    chosen = photos.trial if on_trial else photos.held_out
    if count is not None:
        chosen = chosen[:: max(1, len(chosen) // count)][:count]
    spec = located("SAM-Lite", weights)
    in_float32, other = (Segmenter.of(spec, "cpu", "openvino", each) for each in ("float32", precision))
    print(table(rows(in_float32, other, chosen)))
    print(timings({"float32": in_float32, precision: other}))

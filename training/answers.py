"""A model's answers to prompts that are made from the true masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ovseg_core.embedding import Embedding
from ovseg_core.mask import centre_of
from ovseg_core.mask_prompt import MaskPrompt
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter
from training.figures import iou
from training.things import Mask, Thing


@dataclass(frozen=True)
class Found:
    mask: Mask
    score: float | None  # predicted IoU


def answers(segmenter: Segmenter, embedding: Embedding, expected: list[Thing]) -> Iterator[tuple[str, Thing, Found]]:
    """Yield the mask of every kind of prompt for each thing of one photo."""

    def decoded(prompts: list[Prompt]) -> list[Found]:
        return [Found(mask.full(), mask.score) for mask in segmenter.decode(embedding, prompts)]

    random = np.random.default_rng(0)
    by_box = decoded([Prompt(box=thing.box) for thing in expected])
    yield from zip(["box"] * len(expected), expected, by_box, strict=True)

    def loosened(thing: Thing) -> Prompt:
        x0, y0, x1, y1 = thing.box
        sides = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
        return Prompt(box=tuple(np.array(thing.box) + random.normal(0, 0.05, 4) * sides))

    yield from zip(["box, 5 % off"] * len(expected), expected, decoded([loosened(t) for t in expected]), strict=True)
    fixes = [correction(found.mask, thing.mask) for found, thing in zip(by_box, expected, strict=True)]
    with_click = [Prompt(t.box, (xy,), (label,)) for t, (xy, label) in zip(expected, fixes, strict=True)]
    yield from zip(["box and a correcting click"] * len(expected), expected, decoded(with_click), strict=True)

    clicks = [Prompt(points=(thing.click,), labels=(1,)) for thing in expected]
    candidates = segmenter.candidates(embedding, clicks)
    for thing, masks in zip(expected, candidates, strict=True):
        best = max((Found(mask.full(), mask.score) for mask in masks), key=lambda found: iou(found.mask, thing.mask))
        yield "1 click, best of 3", thing, best
    before: list[Found] = []
    for number in range(1, 6):
        found = decoded(clicks)
        if number in (1, 2, 3, 5):
            name = f"{number} click" + "s" * (number > 1)
            yield from zip([name] * len(expected), expected, found, strict=True)
            if number > 1:
                given_back = [
                    replace(click, mask=MaskPrompt.of(last.mask)) for click, last in zip(clicks, before, strict=True)
                ]
                name += " and the mask before the last"
                yield from zip([name] * len(expected), expected, decoded(given_back), strict=True)
        before = found
        for i, (thing, one) in enumerate(zip(expected, found, strict=True)):
            xy, label = correction(one.mask, thing.mask)
            clicks[i] = Prompt(points=(*clicks[i].points, xy), labels=(*clicks[i].labels, label))


def correction(found: Mask, expected: Mask) -> tuple[tuple[float, float], int]:
    """Return a click in the middle of the larger error, where evaluations of interactive segmentation place it, and its
    label.
    """
    missing, extra = expected & ~found, found & ~expected
    label = int(missing.sum() >= extra.sum())
    error = missing if label else extra
    return (centre_of(error) if error.any() else centre_of(expected)), label

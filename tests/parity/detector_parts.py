"""Each part of a detector of a public size on OpenVINO, compared with what the original computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ovseg_core.engines import runners
from ovseg_core.engines.parts import Parts, Runner
from ovseg_core.grounding_dino import levels, loading, placement, proposals, sine, text, tokenizer
from ovseg_core.grounding_dino.levels import Levels
from ovseg_core.grounding_dino.placement import Placement
from ovseg_core.grounding_dino.shape import SHAPES
from ovseg_core.grounding_dino.text import Text
from tests.parity.pair import relative

PHRASES = ["a cat", "remote control", "Dog?"]


class Given(NamedTuple):
    """An image on its canvas, and phrases as a text, which is padded; `tokens` are not."""

    canvas: np.ndarray
    resized_hw: tuple[int, int]
    asked: Text
    tokens: list[int]

    @classmethod
    def of(cls, image_rgb: np.ndarray, phrases: Sequence[str]) -> Given:
        resized_hw = Placement().resized_hw((image_rgb.shape[0], image_rgb.shape[1]))
        canvas = placement.drawn(image_rgb, resized_hw, Placement().canvas_hw(resized_hw))
        asked = text.of([tokenizer.tokens(phrase) for phrase in phrases])
        count = int((asked.mask == 0).sum())
        return cls(canvas, resized_hw, asked, asked.tokens[:count].astype(int).tolist())


class Fused(NamedTuple):
    """The parts on OpenVINO, the levels of the image, and the text (T, C) after the fusion encoder."""

    run: dict[str, Runner]
    grid: Levels
    words: np.ndarray


def check_encoders(name: str, weights: Path, given: Given, expected: Mapping[str, np.ndarray]) -> Fused:
    """Check that all parts before the decoder agree, and that nearly the same positions become queries.

    `expected` is what `observed` of tests/support/transformers_grounding_dino.py returns.
    """
    shape, count, asked = SHAPES[name], len(given.tokens), given.asked
    canvas_hw = (given.canvas.shape[2], given.canvas.shape[3])
    run = _run(name, weights, canvas_hw)
    grid = levels.of(canvas_hw, given.resized_hw, shape.channels)
    [features] = run["encode"](given.canvas)
    [words] = run["text"](asked.tokens, asked.positions, asked.self_mask)
    assert relative(features[0], expected["image"]) < 1e-4
    assert relative(words[:count], expected["text"]) < 1e-4
    image = (features[0], grid.embedding, grid.is_image, grid.references, grid.proposes)
    places = sine.embedding(asked.positions, shape.channels)
    fused, words, scores = run["fuse"](*image, words, places, asked.mask, asked.self_mask)
    assert relative(fused, expected["fused_image"]) < 1e-4
    assert relative(words[:count], expected["fused_text"]) < 1e-4
    assert relative(scores, expected["scores"]) < 1e-4
    chosen, ours = (proposals.chosen(each, shape.queries) for each in (expected["scores"], scores))
    assert len(set(chosen) & set(ours)) > 0.98 * shape.queries
    return Fused(run, grid, words)


def check_parts(
    name: str, weights: Path, given: Given, expected: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Do `check_encoders`, check that the decoder agrees, and return our logits (Q, T) and boxes (Q, 4)."""
    run, grid, words = check_encoders(name, weights, given, expected)
    shape, count, asked = SHAPES[name], len(given.tokens), given.asked
    # The decoder gets what the original's gets: otherwise differences of rounding grow in its layers, and scores of
    # neighbours in the order can differ by less than rounding.
    fused, words[:count] = expected["fused_image"], expected["fused_text"]
    chosen = proposals.chosen(expected["scores"], shape.queries)
    of_chosen = (chosen.astype(np.float32), grid.proposals[chosen], grid.proposes[chosen])
    logits, boxes = run["decode"](fused, grid.is_image, grid.shares, *of_chosen, words, asked.mask)
    logits = logits[:, :count]
    largest = np.abs(expected["logits"]).max()
    for part, ours, unit in (("logits", logits, largest), ("boxes", boxes, 1)):
        differences = np.abs(ours - expected[part]) / unit
        assert np.quantile(differences, 0.99) < 1e-4, part
        assert differences.max() < 1e-3, part
    assert grid.proposes[chosen].all()  # otherwise the queries would be alike, and a mistake could hide
    assert (boxes.std(axis=0) > 0.01).all()
    return logits, boxes


def _run(name: str, weights: Path, canvas_hw: tuple[int, int]) -> dict[str, Runner]:
    def on_openvino(name: str, load: Callable[[str], Parts]) -> Mapping[str, Runner]:
        return runners.on("openvino", name, weights, load, "cpu", "float32")

    shape = SHAPES[name]
    image = on_openvino(name, lambda _: loading.image_parts(shape, weights, canvas_hw))
    return {**image, **on_openvino(f"{name}-text", lambda _: loading.text_parts(shape, weights))}

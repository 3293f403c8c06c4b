"""The public names of the library, used as in a user's program. mypy in `make lint` checks their types here."""

from __future__ import annotations

import doctest
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import numpy as np
import pytest

import ovseg_core
from ovseg.demo import PHOTO
from ovseg_core import (
    Embedding,
    Mask,
    Model,
    OvsegError,
    Pipeline,
    Prompt,
    PullFailed,
    Result,
    Segmenter,
    create_model,
    create_pipeline,
)
from tests.support import colour_detector, small_grounding_dino


def test_the_package_has_its_public_names_and_refuses_unknown_ones() -> None:
    assert set(ovseg_core.__all__) <= set(dir(ovseg_core))
    for name in ovseg_core.__all__:
        assert getattr(ovseg_core, name).__name__ == name
    with pytest.raises(AttributeError, match="Segmentor"):
        ovseg_core.Segmentor  # type: ignore[attr-defined]  # noqa: B018


def test_the_examples_in_the_page_about_the_library_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTO, "photo.jpg")
    page = (Path(__file__).parents[2] / "docs" / "library.md").read_text()
    # A small detector instead of weights that would have to be downloaded; it has only two words
    names: dict[str, object] = {
        "small": colour_detector.detector(small_grounding_dino.file("grounding_dino", tmp_path))
    }
    shorter = {
        "points_per_side=16": "points_per_side=2",
        'detectors.load("grounding_dino_t", Path("model.safetensors"))': "small",
        '["remote control", "cat"]': "['r', 'g']",
    }
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        for old, new in shorter.items():
            example = example.replace(old, new)
        exec(example, names)
    assert {"step", "generator", "found"} < set(names)


def test_the_example_in_the_docstring_of_the_package_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTO, "photo.jpg")
    [example] = doctest.DocTestFinder(recurse=False).find(ovseg_core, "ovseg_core", globs={})
    assert len(example.examples) >= 9
    assert doctest.DocTestRunner().run(example).failed == 0
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["photo_res.jpg"]


def test_a_program_that_uses_the_library_is_typed() -> None:
    image_rgb = np.zeros((48, 64, 3), np.uint8)
    segmenter = assert_type(Segmenter.open("SAM-Lite"), Segmenter)
    embedding = assert_type(segmenter.encode(image_rgb), Embedding)
    embedding = assert_type(Embedding.from_bytes(embedding.to_bytes()), Embedding)
    masks = assert_type(segmenter.decode(embedding, [Prompt.of_box(8, 8, 40, 40)]), list[Mask])
    assert masks[0].full().shape == (48, 64)
    model = assert_type(create_model("SAM-Lite", device="cpu"), Model)
    results: Iterator[Result] = model.predict(image_rgb, {"box_prompt": [[8, 8, 40, 40]]})
    assert next(results)["masks"][0].shape == (48, 64)
    assert_type(create_pipeline("open_vocabulary_segmentation", model="SAM-Lite"), Pipeline)
    assert_type(PullFailed(), PullFailed)
    with pytest.raises(OvsegError) as caught:
        create_model("SAM-XXL")
    assert assert_type(caught.value.code, str) == "unknown_model"

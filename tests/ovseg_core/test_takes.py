"""The kinds of prompts that a model can take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovseg_core import models
from ovseg_core.errors import OvsegError
from ovseg_core.family import ALL_KINDS
from ovseg_core.models import ModelSpec
from ovseg_core.prompts import Prompt

PROMPTS = {
    "box": Prompt.of_box(0, 0, 2, 2),
    "point": Prompt.of_point(1, 1),
    "points": Prompt.of(points=[[1, 1], [2, 2]]),
    "mixed": Prompt.of([0, 0, 2, 2], [[1, 1]]),
    "mask": Prompt.of(mask=np.ones((4, 4), bool)),
}


def folder(kind: str, path: Path) -> ModelSpec:
    """Return PaddleX's inference model for this kind of prompt; all of its files except the index are empty."""
    for name in ("inference.json", "inference.pdiparams"):
        (path / name).touch()
    (path / "inference.yml").write_text(f"Global: {{model_name: SAM-H_{kind}}}")
    return replace(models.find(f"SAM-H_{kind}"), weights=path)


def test_our_models_take_every_kind() -> None:
    for spec in models.all_models().values():
        if not spec.is_folder:
            assert spec.takes == ALL_KINDS == {*PROMPTS, "everything"}
            spec.check_prompts(list(PROMPTS.values()))
            spec.check_everything()
            spec.check_text("prompts[0]")


@pytest.mark.parametrize("kind", ["box", "point"])
def test_an_inference_model_of_paddlex_takes_only_the_kind_that_it_was_exported_for(kind: str, tmp_path: Path) -> None:
    spec = folder(kind, tmp_path)
    spec.check_prompts([PROMPTS[kind]])
    for other in PROMPTS.keys() - {kind}:
        with pytest.raises(OvsegError, match=f"cannot take '{other}'; it takes only {kind}$") as caught:
            spec.check_prompts([PROMPTS[kind], PROMPTS[other]], "prompt")
        assert (caught.value.code, caught.value.field) == ("prompt_not_supported", "prompt[1]")
    with pytest.raises(OvsegError, match=f"cannot take 'everything'; it takes only {kind}$") as caught:
        spec.check_everything()
    assert (caught.value.code, caught.value.field) == ("prompt_not_supported", "prompts")


def test_a_model_for_points_takes_no_boxes_of_a_detector(tmp_path: Path) -> None:
    with pytest.raises(OvsegError, match="cannot take 'text'; it takes only point") as caught:
        folder("point", tmp_path).check_text("prompts[0]")
    assert (caught.value.code, caught.value.field) == ("prompt_not_supported", "prompts[0]")


def test_a_folder_that_is_not_installed_takes_what_the_model_takes_that_may_replace_it(tmp_path: Path) -> None:
    spec = replace(models.find("SAM-H_box"), weights=tmp_path)
    assert spec.takes == ALL_KINDS
    assert replace(spec, falls_to=None).takes == {"box", "point"}


def test_a_broken_folder_may_take_either_kind(tmp_path: Path) -> None:
    spec = folder("box", tmp_path)
    for index in ("Global: {model_name: SAM-H_box", "", "[]", "Global: {model_name: PP-OCRv4}"):
        (tmp_path / "inference.yml").write_text(index)
        assert spec.takes == {"box", "point"}

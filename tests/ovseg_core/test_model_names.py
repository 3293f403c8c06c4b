"""The names of the registry's models, and errors in a registry of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ovseg.commands import main
from ovseg_core import models


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("X: {network: sam_b, file: a, colour: red}", "X: unknown colour; allowed: also, bundled, bytes"),
        ("X: {network: sam_9, file: a}", "network must be one of sam_lite"),
        ("X: {network: sam_b}", "give file, or bundled"),
    ],
)
def test_an_error_in_the_user_s_registry_names_the_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    monkeypatch.setenv("OVSEG_MODELS_YAML", str(tmp_path / "mine.yaml"))
    with pytest.raises(ValueError, match=complaint):
        models.find("SAM-Lite")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("facebook/sam-vit-huge", "SAM-H"),
        ("facebook/sam2.1-hiera-base-plus", "SAM2.1-B+"),
        ("syscv-community/sam-hq-vit-base", "SAM-HQ-B"),
        ("IDEA-Research/grounding-dino-tiny", "GroundingDINO-T"),
    ],
)
def test_names_of_other_libraries_lead_to_the_same_model(
    theirs: str, ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))
    assert models.find_any(theirs) is models.find_any(ours)
    find = models.find_detector if models.is_detector(theirs) else models.find
    assert find(theirs).name == ours
    verified = CliRunner().invoke(main, ["models", "verify", theirs])
    assert verified.output.startswith(f"{ours}: it is not installed")


def test_no_two_models_have_the_same_name() -> None:
    known = [*models.all_models().values(), *models.all_detectors().values()]
    names = [name for spec in known for name in (spec.name, *spec.also)]
    assert len(names) == len(set(names))

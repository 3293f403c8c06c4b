"""Every example of docs/from-lmdeploy.md runs on a fresh install."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from ovseg_core.vl import EngineConfig, GenerationConfig
from ovseg_core.vl.instruction import EVERYTHING
from tests.support import pictures
from tests.support.fakes import Host

PAGE = (Path(__file__).parents[1] / "docs" / "from-lmdeploy.md").read_text()
IMAGE = "https://raw.githubusercontent.com/open-mmlab/mmdeploy/main/demo/resources/human-pose.jpg"
EXAMPLES = {
    (section.splitlines()[0].partition(" (")[0], i): code
    for section in re.split(r"^#{2,3} ", PAGE, flags=re.MULTILINE)
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
}


def run(heading: str, host: Host, capsys: pytest.CaptureFixture[str], number: int = 0) -> str:
    """Run an example with a photo at its URL and as photo.jpg, and return what it prints."""
    code = EXAMPLES[heading, number].replace(IMAGE, host.serve("/human-pose.jpg", pictures.photo()))
    exec(compile(code, heading, "exec"), {})
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with photo.jpg, and no models that were pulled."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    monkeypatch.setenv("OVSEG_MODELS_DIR", str(tmp_path))


def test_the_example_with_default_parameters(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    *lines, last = run("The example with default parameters", host, capsys).splitlines()
    assert all(re.fullmatch(r"object \(0\.\d\d\) box: \d+,\d+,\d+,\d+", line) for line in lines)
    assert last == f"Found {len(lines)} objects."
    assert len(lines) > 10


def test_input_in_the_format_of_openai(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"\nFound \d\d objects\.\n$", run("Input in the format of OpenAI", host, capsys))


def test_results_as_a_stream(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert re.search(r"\nFound \d\d objects\.$", run("Results as a stream", host, capsys))


def test_the_text(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    box, point, area = run("The text", host, capsys).splitlines()
    assert box.startswith("object (")
    assert "{'box': [110.0, 90.0, 300.0, 300.0]}" in box
    assert "'labels': [1, 0]" in point
    assert int(area) > 1000


def test_a_phrase_says_what_to_pull(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run("The text", host, capsys, 1)
    assert printed.startswith("GroundingDINO-T is not installed here; `ovseg models pull GroundingDINO-T` fetches it")


def test_the_page_lists_every_sentence_that_asks_for_everything() -> None:
    [row] = re.findall(r"^\| empty, (.*?) \| everything \|$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", row)) == EVERYTHING


def test_the_page_lists_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    shown = {
        name: default
        for names, defaults in rows
        if defaults != "default"  # the heads of the tables
        for name, default in zip(re.findall(r"\w+", names), defaults.split(", "), strict=False)
    }
    config, engine = GenerationConfig(), EngineConfig()
    fields = {*(each.name for each in dataclasses.fields(config)), *(each.name for each in dataclasses.fields(engine))}
    assert shown.keys() == fields
    for name, default in shown.items():
        value = getattr(config, name, None) if hasattr(config, name) else getattr(engine, name)
        if value not in (None, False, {}):
            assert default.strip("`") == str(value), name


def test_these_are_all_examples_of_the_page() -> None:
    headings = ("The example with default parameters", "Input in the format of OpenAI", "Results as a stream")
    assert list(EXAMPLES) == [*((heading, 0) for heading in headings), ("The text", 0), ("The text", 1)]

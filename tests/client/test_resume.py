"""The resume file of `map`, cut at any byte."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_client.resume import ResumeFile

ENTRIES = [(index, 1, f"digest {index}", f"ü{index}.jpg", {"job": {"id": f"j{index}"}}) for index in (0, 2, 1, 3)]


def written(path: Path) -> bytes:
    """Write a file of four images. Return its bytes."""
    with ResumeFile(path) as file:
        for entry in ENTRIES:
            file.record(*entry)
    return path.read_bytes()


@given(st.data())
def test_a_file_that_was_cut_anywhere_has_its_complete_lines_and_takes_further_ones(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.ndjson"
        whole = written(path)
        cut = whole[: data.draw(st.integers(0, len(whole)))]
        path.write_bytes(cut)
        complete = cut.count(b"\n")
        for _ in range(2):  # opened, and opened again
            with ResumeFile(path) as file:
                known = [entry for entry in ENTRIES if file.attempts(entry[0], entry[2])]
                assert known == ENTRIES[: max(0, complete - 1)]
                assert [file.load(entry[0])["job"]["id"] for entry in known] == [f"j{entry[0]}" for entry in known]
                if complete:
                    assert file.run == json.loads(whole.splitlines()[0])["run"]
        with ResumeFile(path) as file:
            for entry in ENTRIES[max(0, complete - 1) :]:
                file.record(*entry)
        assert path.read_bytes().splitlines()[1:] == whole.splitlines()[1:]


def test_the_last_line_about_an_image_counts(tmp_path: Path) -> None:
    with ResumeFile(tmp_path / "state") as file:
        file.record(0, 1, "a", "a.jpg", {"job": {"status": "failed"}})
        file.record(0, 2, "a", "a.jpg", {"job": {"status": "succeeded"}})
    with ResumeFile(tmp_path / "state") as file:
        assert (file.attempts(0, "a"), file.load(0)["job"]["status"]) == (2, "succeeded")


def test_a_file_of_other_arguments_or_in_use_or_of_something_else_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "state")
    with ResumeFile(tmp_path / "state") as file:
        with pytest.raises(ValueError, match="image 0 is not the one"):
            file.attempts(0, "another")
        with pytest.raises(ValueError, match="another process uses"):
            ResumeFile(tmp_path / "state")
    for text in (
        '{"a": 1}\n',
        "[1]\n",
        "no JSON\n",
        '{"ovseg_map": 2, "run": "a"}\n',
        '{"ovseg_map": 1, "run": "a"}\n{}\n',
    ):
        (tmp_path / "other").write_text(text)
        with pytest.raises(ValueError, match="is not that of a resume file"):
            ResumeFile(tmp_path / "other")
        assert (tmp_path / "other").read_text() == text

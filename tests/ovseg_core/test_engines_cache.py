"""Translated networks on disk: made once, completely or not at all, and again for other weights."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ovseg_core import environment
from ovseg_core.engines import cache
from ovseg_core.engines.cache import UNUSED_SECONDS


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVSEG_ENGINES_DIR", str(tmp_path / "engines"))
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    return path


def make(to: Path) -> None:
    (to / "encode.xml").write_text("a graph")


def make_with_weights(to: Path) -> None:
    make(to)
    (to / "encode.weights").write_bytes(b"same")


def never(to: Path) -> None:
    raise AssertionError("it is there")


def test_the_same_weights_are_translated_once_in_any_folder(weights: Path) -> None:
    found = cache.folder("net", weights, "", make)
    assert [path.name for path in found.iterdir()] == ["encode.xml"]
    assert cache.folder("net", weights.rename(weights.with_name("elsewhere")), "", never) == found


def test_other_weights_of_the_same_name_are_translated_again(weights: Path) -> None:
    found = cache.folder("net", weights, "", make)
    weights.write_bytes(b"others!")
    assert cache.folder("net", weights, "", make) != found


def test_a_translation_with_other_options_is_another_translation(weights: Path) -> None:
    found = cache.folder("net", weights, "code 1", make)
    assert cache.folder("net", weights, "code 2", make) != found
    assert cache.folder("net", weights, "code 1", never) == found


def test_a_translation_that_fails_leaves_nothing(weights: Path) -> None:
    def break_off(to: Path) -> None:
        make(to)
        raise ValueError("cannot be translated")

    with pytest.raises(ValueError, match="cannot be translated"):
        cache.folder("net", weights, "", break_off)
    assert not [path for path in environment.engines_dir().iterdir() if path.is_dir() and path.name != "digests"]
    assert cache.folder("net", weights, "", make).is_dir()


def test_processes_that_start_together_translate_once(weights: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from ovseg_core import environment
from ovseg_core.engines import cache
def make(to):
    print("made")
    time.sleep(0.5)
    (to / "encode.xml").write_text("a graph")
assert (cache.folder("net", Path(sys.argv[1]), "", make) / "encode.xml").is_file()
"""
    command = [sys.executable, "-c", script, str(weights)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert "".join(printed).split() == ["made"]


def test_a_translation_that_was_not_used_for_weeks_is_deleted(weights: Path) -> None:
    old = cache.folder("net", weights, "", make)
    other = cache.folder("another", weights, "", make)
    long_ago = time.time() - UNUSED_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    os.utime(other, (long_ago, long_ago))
    weights.write_bytes(b"others!")
    cache.folder("net", weights, "", make)
    assert not old.exists()
    assert other.exists()


def test_translation_works_without_a_writable_cache(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (weights.parent / "file").touch()
    monkeypatch.setenv("OVSEG_ENGINES_DIR", str(weights.parent / "file" / "engines"))  # root could write to any folder
    assert (cache.folder("net", weights, "", make) / "encode.xml").is_file()


def test_equal_weights_of_two_translations_are_stored_once(weights: Path) -> None:
    def other(to: Path) -> None:
        (to / "encode.weights").write_bytes(b"else")

    first, second = (cache.folder(name, weights, "", make_with_weights) for name in ("net-a", "net-b"))
    third = cache.folder("net-c", weights, "", other)
    assert (first / "encode.weights").samefile(second / "encode.weights")
    assert (third / "encode.weights").read_bytes() == b"else"
    assert {path.name for path in second.iterdir()} == {"encode.weights", "encode.xml"}
    (first / "encode.weights").unlink()
    assert (second / "encode.weights").read_bytes() == b"same"


def test_weights_are_copied_where_there_are_no_hard_links(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    for name in ("net-a", "net-b"):
        found = cache.folder(name, weights, "", make_with_weights)
        assert {path.name for path in found.iterdir()} == {"encode.weights", "encode.xml"}

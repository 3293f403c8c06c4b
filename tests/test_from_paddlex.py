"""Every example of docs/from-paddlex.md runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.support import paddlex_detector, pictures

PAGE = (Path(__file__).parents[1] / "docs" / "from-paddlex.md").read_text()
SMALL = {'"bus . walking man . rearview mirror ."': '"g . r ."', '["bus", "walking man"]': '["g", "r"]'}


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The detector is a small one, which knows green and red things instead of buses and walking men."""
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    for file in (Path("photo.jpg"), photos / "a.jpg"):
        file.write_bytes(pictures.photo())
    (photos / "b.jpg").write_bytes(b"no picture")
    cv2.imwrite("street.jpg", paddlex_detector.image_bgr())
    paddlex_detector.install(paddlex_detector.made(tmp_path), tmp_path, monkeypatch)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        for phrases, small in SMALL.items():
            code = code.replace(phrases, small)
        exec(compile(code, "docs/from-paddlex.md", "exec"), names)
    printed = capsys.readouterr().out
    for line in ('"label": "box_prompt"', '"label": "g"', "\ng [", "photos/b.jpg "):
        assert line in printed, line
    written = {file.name for file in (tmp_path / "output").iterdir()}
    assert written == {f"{name}_res.{suffix}" for name in ("photo", "street", "a") for suffix in ("jpg", "json")}

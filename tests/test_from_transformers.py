"""Every example of docs/from-transformers.md, and of the same page in Chinese, runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
from flask import Flask

from ovseg_core.engines import in_openvino, int8
from tests.support import paddlex_detector, pictures
from tests.support.fakes import Host

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {name: (DOCS / name).read_text() for name in ("from-transformers.md", "from-transformers.zh.md")}
URL = "https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/pipeline-cat-chonk.jpeg"
HEADINGS = [  # of the guide of transformers
    "Pipeline usage",
    "Parameters",
    "Device",
    "Batch size",
    "Task specific parameters",
    "Using pipelines on a dataset",
    "Using pipelines for a webserver",
    "Vision pipeline",
    "Text pipeline",
    "Multimodal pipeline",
    "Using `pipeline` on large models with `accelerate`",
]
SMALL = {"a cat.": "g.", "a remote control.": "r.", '"cat"': '"g"', "remote control": "r", "cat. ": "g. "}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def headings(page: str) -> list[str]:
    return re.findall(r"^##+ (.+)", PAGES[page], re.MULTILINE)


def without_comments(code: str) -> str:
    return re.sub(r"(?m)^# .*\n|  # .*", "", code)


def test_the_pages_have_the_headings_of_the_guide_and_the_same_examples() -> None:
    english, chinese = PAGES
    assert headings(english) == HEADINGS
    assert len(headings(chinese)) == len(HEADINGS)
    assert len(blocks(english, "python")) == 14
    for language in ("python", "bash"):
        assert list(map(without_comments, blocks(chinese, language))) == list(
            map(without_comments, blocks(english, language))
        )


def usable(code: str) -> str:
    """Return the code with a precision that this processor has, and with few clicks."""
    for call in ('pipeline(task="mask-generation")', 'pipeline(model="SAM-Lite")'):
        code = code.replace(call, f"{call[:-1]}, points_per_crop=4)")
    if "bfloat16" not in in_openvino.precisions():
        code = code.replace('"bfloat16"', '"float32"')
    return code if int8.is_supported() else code.replace('"load_in_8bit": True', '"load_in_8bit": False')


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run_on_a_fresh_install(
    page: str, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The detector is a small one, which knows red and green things instead of cats and remote controls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Flask, "run", lambda app, port: None)
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    for i in range(4):
        shutil.copy("photo.jpg", f"photo_{i}.jpg")
    paddlex_detector.install(paddlex_detector.made(tmp_path), tmp_path, monkeypatch)
    served = host.serve("/cat.jpeg", pictures.photo())
    names: dict[str, Any] = {}
    for code in blocks(page, "python"):
        if "grounding-dino" in code:
            cv2.imwrite("photo.jpg", paddlex_detector.image_bgr())
            for word, small in SMALL.items():
                code = code.replace(word, small)
        exec(compile(usable(code).replace(URL, served), page, "exec"), names)
    assert names["masks"]
    assert {row["label"] for row in names["masks"]} == {"g", "r"}
    assert {row["label"] for row in names["found"]} == {"g.", "r."}
    assert len(names["several"]) == 4
    assert len(names["results"]) == 4
    assert re.match(r"\d+ \(\d+, \d+\) \[0\.", capsys.readouterr().out)
    (tmp_path / "photo.jpg").write_bytes(pictures.photo())
    answer = (
        names["app"]
        .test_client()
        .post("/", data={"image": (tmp_path / "photo.jpg").open("rb"), "box": "110,90,300,300"})
    )
    assert [list(row) for row in answer.json] == [["box", "score"]]

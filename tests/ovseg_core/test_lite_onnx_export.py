"""SAM-Lite as ONNX for programs without ovseg: the example of its page finds the masks that the library finds."""

from __future__ import annotations

import re
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from click.testing import CliRunner

from ovseg import demo
from ovseg.commands import main
from ovseg_core import image
from ovseg_core.prompts import Prompt
from ovseg_core.segmenter import Segmenter

PAGE = Path(__file__).parents[2] / "docs" / "sam-lite.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    options = ["--format", "onnx", "--save_path", str(folder / "sam-lite")]
    ran = CliRunner().invoke(main, ["models", "export", "SAM-Lite", *options])
    assert ran.exit_code == 0, ran.output
    return folder


def test_the_example_of_the_page_finds_the_mask_of_the_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text().partition("## Without this library")[2], re.DOTALL)
    copyfile(demo.PHOTO, folder / "photo.jpg")
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(example, names)
    segmenter = Segmenter.open("SAM-Lite", engine="onnxruntime")
    pixels = image.decode(demo.PHOTO.read_bytes(), 10**8)
    [expected] = segmenter.decode(segmenter.encode(pixels), [Prompt.of_box(340, 4, 462, 300)])
    mask, full = names["mask"], expected.full()
    assert mask.shape == full.shape
    assert (mask & full).sum() > 0.97 * (mask | full).sum() > 1000
    assert names["iou"][0] == pytest.approx(expected.score, abs=0.02)


def test_several_boxes_are_decoded_at_once_and_masks_end_at_their_boxes(folder: Path) -> None:
    encoder, decoder = (ort.InferenceSession(folder / "sam-lite" / f"{name}.onnx") for name in ("encoder", "decoder"))
    canvas = np.random.default_rng(0).normal(0, 0.5, (1, 3, 640, 640)).astype(np.float32)
    maps = dict(zip(("map4", "map8", "map16"), encoder.run(None, {"canvas": canvas}), strict=True))
    boxes = np.array([[10, 20, 300, 200], [0, 0, 640, 640], [600, 600, 603, 640]], np.float32)
    masks, iou = decoder.run(None, {**maps, "boxes": boxes})
    assert (masks.shape, iou.shape) == ((3, 640, 640), (3,))
    [alone], _ = decoder.run(None, {**maps, "boxes": boxes[:1]})
    assert np.abs(alone - masks[0]).max() < 1e-3
    inside = np.zeros((640, 640), bool)
    inside[20:200, 10:300] = True
    assert not (masks[0] > 0)[~inside].any()


def test_other_models_have_no_such_export(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["models", "export", "SAM-B", "--format", "onnx", "--save_path", str(tmp_path)])
    assert "SAM-B cannot be exported; SAM-Lite can" in ran.output

"""No saved result overwrites the file of another."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ovseg_core import create_model
from ovseg_core.paddlex.model import Model
from ovseg_core.paddlex.saved_names import Owner, SavedNames
from tests.support import pictures

BOX = {"box_prompt": [[4, 4, 20, 20]]}
SMALL = np.full((32, 40, 3), 90, np.uint8)
PNG = pictures.encoded(Image.fromarray(SMALL), "PNG")
JPEG = pictures.encoded(Image.fromarray(SMALL), "JPEG")


@pytest.fixture(scope="module")
def model() -> Model:
    return create_model("SAM-Lite", device="cpu")


def image_file(path: Path, data: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def saved(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_results_of_images_with_the_same_name_do_not_overwrite_one_another(model: Model, tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    for name in ("cam1/0001.png", "cam2/0001.png", "a.png"):
        image_file(folder / name)
    image_file(folder / "a.jpg", JPEG)
    elsewhere = [image_file(tmp_path / name / "a.png") for name in ("b", "c")]
    for _ in range(2):  # the second time, each result replaces its own files
        for result in model.predict([folder, elsewhere], BOX):
            result.save_all(out)
        assert saved(out) == [
            "a.png_2_res.json",
            "a.png_2_res.png",
            "a.png_3_res.json",
            "a.png_3_res.png",
            "a.png_res.json",
            "a.png_res.png",
            "a_res.jpg",
            "a_res.json",
            "cam1/0001_res.json",
            "cam1/0001_res.png",
            "cam2/0001_res.json",
            "cam2/0001_res.png",
        ]


def test_two_results_of_a_file_are_both_saved_in_one_call_and_replaced_by_a_later_call(
    model: Model, tmp_path: Path
) -> None:
    path = str(image_file(tmp_path / "a.png"))
    for result in model.predict([path, path], [BOX, {"box_prompt": [[1, 1, 30, 30]]}]):
        result.save_to_json(tmp_path / "twice")
    assert saved(tmp_path / "twice") == ["a.png_res.json", "a_res.json"]
    for _ in range(2):
        for result in model.predict(path, BOX):
            result.save_to_json(tmp_path / "calls")
    assert saved(tmp_path / "calls") == ["a_res.json"]


def test_the_image_and_the_json_of_an_array_share_a_unique_name(model: Model, tmp_path: Path) -> None:
    for result in model.predict([SMALL, SMALL], BOX):
        result.save_all(tmp_path)
    assert len(saved(tmp_path)) == 4
    assert len({name.partition(".")[0] for name in saved(tmp_path)}) == 2
    names, call = SavedNames(), object()
    given = [names.of(Owner(None, None, call, i), tmp_path, "1700000000_0042", "") for i in range(3)]
    assert given == ["1700000000_0042", "1700000000_0042_2", "1700000000_0042_3"]


def test_a_file_that_is_named_like_a_page_does_not_overwrite_the_page(model: Model, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    pages = [Image.fromarray(SMALL)] * 2
    image_file(folder / "a.tif", pictures.encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    image_file(folder / "a_1.png")
    for result in model.predict(folder, BOX):
        result.save_to_json(tmp_path / "out")
    assert saved(tmp_path / "out") == ["a_0_res.json", "a_1.png_res.json", "a_1_res.json"]


@pytest.mark.parametrize("stem", ["a" * 251, "影" * 83, "é" * 123 + "a"], ids=["a", "影", "é"])
def test_the_result_of_an_image_with_the_longest_name_is_saved(model: Model, tmp_path: Path, stem: str) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    image_file(folder / f"{stem}.png")
    image_file(folder / f"{stem[:-1]}b.png")
    for result in model.predict(folder, BOX):
        result.save_all(out)
    assert [name[:60] for name in saved(out)] == [stem[:60]] * 4
    assert all(name.startswith(stem[:60]) and len(os.fsencode(name)) <= 255 for name in saved(out))


def test_results_are_saved_in_a_folder_that_is_named_like_a_file(model: Model, tmp_path: Path) -> None:
    for name in ("a.png", "a.json"):
        (tmp_path / name).mkdir()
    [result] = model.predict(SMALL, BOX)
    result.save_to_img(tmp_path / "a.png")
    result.save_to_json(tmp_path / "a.json")
    assert [Path(name).parent.name for name in saved(tmp_path)] == ["a.json", "a.png"]


def test_a_name_that_is_not_utf_8_is_saved_and_printed(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [result] = model.predict(image_file(tmp_path / os.fsdecode(b"caf\xe9.png")), BOX)
    result.save_all(tmp_path / "out")
    result.print()
    assert [os.fsencode(path) for path in sorted((tmp_path / "out").iterdir())] == [
        os.fsencode(tmp_path / "out") + b"/caf\xe9_res" + suffix for suffix in (b".json", b".png")
    ]
    text = (tmp_path / "out" / os.fsdecode(b"caf\xe9_res.json")).read_text(encoding="utf-8")
    assert "caf\\udce9.png" in text
    assert "caf\\udce9.png" in capsys.readouterr().out

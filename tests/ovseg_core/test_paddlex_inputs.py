"""Inputs of the library: iterators that wait, folders with other files in them, and inputs that are not images."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import create_model, create_pipeline
from ovseg_core.errors import OvsegError
from ovseg_core.paddlex.model import Model
from ovseg_core.paddlex.pipeline import Pipeline
from ovseg_core.quiet_paddle import paddle
from tests.support import pictures

BOX = {"box_prompt": [[4, 4, 20, 20]]}
SMALL = np.full((32, 40, 3), 90, np.uint8)
PNG = pictures.encoded(Image.fromarray(SMALL), "PNG")
JPEG = pictures.encoded(Image.fromarray(SMALL), "JPEG")


@pytest.fixture(scope="module")
def model() -> Model:
    return create_model("SAM-Lite", device="cpu")


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return create_pipeline("open_vocabulary_segmentation", model="SAM-Lite", device="cpu")


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"


def image_file(path: Path, data: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


class Camera:
    """An endless source of images that records how many were requested, and by which threads."""

    def __init__(self) -> None:
        self.requested = 0
        self.threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        self.requested += 1
        self.threads.add(threading.current_thread())
        return SMALL


def test_a_result_is_returned_before_the_next_image_is_requested(model: Model) -> None:
    camera = Camera()
    run = model.predict(camera, BOX)
    assert camera.requested == 0
    for count in (1, 2, 3):
        next(run)
        assert camera.requested == count
    run.close()
    assert camera.threads == {threading.current_thread()}


def test_a_batch_requests_no_more_images_than_it_has(model: Model) -> None:
    camera = Camera()
    run = model.predict(camera, BOX, batch_size=2)
    for count in (2, 2, 4, 4):
        next(run)
        assert camera.requested == count


def test_a_database_cursor_is_read_in_its_own_thread(model: Model, tmp_path: Path) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table photos (path text)")
        files = [(str(image_file(tmp_path / f"{i}.png")),) for i in range(3)]
        database.executemany("insert into photos values (?)", files)
        paths = (path for (path,) in database.execute("select path from photos order by path"))
        assert [result["input_path"] for result in model.predict(paths, BOX)] == [path for (path,) in files]


def test_leaving_the_loop_does_not_wait_for_the_file_that_is_read_ahead(model: Model, silent: str) -> None:
    started = time.monotonic()
    run = model.predict([SMALL, silent], BOX)
    next(run)
    run.close()
    for _ in model.predict([SMALL, silent], BOX):
        break
    with suppress(KeyError):
        for _ in model.predict([SMALL, silent], BOX):
            raise KeyError
    assert time.monotonic() - started < 30  # the server would have 60 seconds to answer
    with pytest.raises(StopIteration):
        next(run)


def test_the_reading_thread_ends_when_the_loop_is_left(model: Model, tmp_path: Path) -> None:
    files = [image_file(tmp_path / f"{i}.png") for i in range(4)]
    before = set(threading.enumerate())
    for result in model.predict(files, BOX):
        assert result["input_path"] == str(files[0])
        break
    else:
        pytest.fail("there was no result")
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


def test_the_interpreter_exits_while_a_server_is_silent(silent: str) -> None:
    script = f"""
import numpy as np
from ovseg_core import create_model, image_source
image_source.TIMEOUT = (600, 600)
images = [np.full((32, 40, 3), 90, np.uint8), {silent!r}]
run = create_model("SAM-Lite", device="cpu").predict(images, {BOX!r})
print(len(next(run)["masks"]))
"""
    ran = run([sys.executable, "-c", script])
    assert (ran.returncode, ran.stdout) == (0, "1\n"), ran.stderr


def test_results_before_an_error_of_the_callers_iterator_are_returned(model: Model) -> None:
    def images() -> Iterator[np.ndarray]:
        yield SMALL
        yield SMALL
        raise LookupError("the camera is gone")

    run = model.predict(images(), BOX, batch_size=5, on_error="skip")
    assert [len(next(run)["masks"]) for _ in range(2)] == [1, 1]
    with pytest.raises(LookupError):
        next(run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with images, hidden files, another file, a pipe and a link that makes a loop."""
    folder = tmp_path / "photos"
    for name in ("a.png", "cam1/0001.png", "cam2/0001.png", "frames.jpg/1.png", "z.png"):
        image_file(folder / name)
    image_file(folder / "._a.png", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    image_file(folder / ".trash" / "old.png")
    image_file(folder / "notes.txt")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "again").symlink_to(".")
    return folder


BAD = {
    "empty.png": b"",
    "half.png": PNG[:-40],
    "page.tif": b"II*\0broken",
    "text.jpg": b"no image",
    "scan.pdf": b"%PDF-1",
}


def test_a_folder_yields_its_images_and_nothing_else(model: Model, folder: Path) -> None:
    found = [str(Path(result["input_path"]).relative_to(folder)) for result in model.predict(folder, BOX)]
    assert found == ["a.png", "cam1/0001.png", "cam2/0001.png", "frames.jpg/1.png", "z.png"]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_bad_files_are_skipped_and_logged_and_the_others_are_processed(
    model: Model, folder: Path, batch_size: int, caplog: pytest.LogCaptureFixture
) -> None:
    for name, data in BAD.items():
        image_file(folder / name, data)
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    image_file(folder / os.fsdecode(b"caf\xe9.png"), b"")
    run = model.predict(str(folder), BOX, batch_size, on_error="skip")
    assert len(list(run)) == 5
    bad = sorted([*BAD, "gone.png", "loop.png", os.fsdecode(b"caf\xe9.png")])
    assert [Path(str(skipped.path)).name for skipped in run.skipped] == bad
    for skipped in run.skipped:
        assert isinstance(skipped.error, OvsegError)
        assert repr(skipped.path) in str(skipped.error)
        assert str(skipped.error) in caplog.text
        assert str(skipped.error).isprintable()
    assert [skipped.position for skipped in run.skipped] == [1, 4, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("batch_size", [1, 5])
def test_an_unreadable_file_raises_an_error_with_its_path_after_the_results_before_it(
    model: Model, folder: Path, batch_size: int
) -> None:
    image_file(folder / "cam2" / "half.png", PNG[:-40])
    run = model.predict(folder, BOX, batch_size)
    assert [Path(next(run)["input_path"]).name for _ in range(3)] == ["a.png", "0001.png", "0001.png"]
    with pytest.raises(OvsegError, match=r"'.*/cam2/half\.png': the PNG breaks off") as raised:
        next(run)
    assert raised.value.code == "image_unreadable"
    with pytest.raises(StopIteration):
        next(run)


def not_a_file(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "x.jpg")
    return tmp_path / "x.jpg"


def below_a_file(tmp_path: Path) -> Path:
    return image_file(tmp_path / "x.jpg") / "x.jpg"


def broken_link(tmp_path: Path) -> Path:
    (tmp_path / "x.jpg").symlink_to("nowhere")
    return tmp_path / "x.jpg"


def without_permission(tmp_path: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    image_file(tmp_path / "x.jpg", JPEG).chmod(0)
    return tmp_path / "x.jpg"


@pytest.mark.parametrize("made", [not_a_file, below_a_file, broken_link, without_permission])
@pytest.mark.parametrize("as_string", [True, False])
def test_a_path_that_cannot_be_read_is_in_the_error(model: Model, tmp_path: Path, made: Any, as_string: bool) -> None:
    path = made(tmp_path)
    with pytest.raises(OvsegError, match=r"x\.jpg': "):
        list(model.predict(str(path) if as_string else path, BOX))


@pytest.mark.parametrize("given", ["", "/proc/self/mem", "a\0b.png", "x" * 300, "http://127.0.0.1:1/a.jpg"])
def test_an_impossible_path_is_in_the_error(model: Model, given: str) -> None:
    with pytest.raises((OvsegError, FileNotFoundError)) as raised:
        list(model.predict(given, BOX))
    assert repr(given) in str(raised.value)


@pytest.mark.parametrize(
    "given", [paddle.zeros([8, 8, 3]), b"\x89PNG", {"a.png": 1}, None, [None], 7, np.zeros((0, 8, 3), np.uint8)]
)
def test_an_input_of_a_wrong_type_is_refused_with_the_right_types(model: Model, given: Any) -> None:
    with pytest.raises(
        (TypeError, ValueError), match=r"(input must be an array, a path, a URL|an array must be \(H, W, 3\) uint8)"
    ):
        list(model.predict(given, BOX))
    run = model.predict([given, SMALL], BOX, on_error="skip")
    assert (len(list(run)), [skipped.position for skipped in run.skipped]) == (1, [0])


class Column:
    """A table's column, as in pandas and polars: it has one dimension, and NumPy can read it."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values
        self.shape = (len(values),)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __array__(self) -> np.ndarray:
        return np.array(self._values, object)


@pytest.mark.parametrize("made", [Column, np.array, lambda paths: np.array(paths, object)])
def test_a_column_or_an_array_of_paths_is_several_paths(model: Model, tmp_path: Path, made: Any) -> None:
    paths = [str(image_file(tmp_path / f"{i}.png")) for i in range(2)]
    assert [result["input_path"] for result in model.predict(made(paths), BOX)] == paths


def test_the_prompts_of_a_skipped_image_are_skipped_too(pipeline: Pipeline, tmp_path: Path) -> None:
    images = [SMALL, image_file(tmp_path / "a.png", b""), SMALL[:10], SMALL]
    rows = [[[1, 1, 9, 9]], [[2, 2, 9, 9]], [[1, 20, 9, 30]], [[4, 4, 9, 9]]]
    run = pipeline.predict(images, rows, on_error="skip")
    assert [result["prompts"]["box_prompt"][0][0] for result in run] == [1, 4]
    codes = [skipped.error.code for skipped in run.skipped if isinstance(skipped.error, OvsegError)]
    assert codes == ["image_empty", "box_outside_image"]
    with pytest.raises(ValueError, match="on_error must be raise or skip, not 'ignore'"):
        pipeline.predict(images, rows, on_error="ignore")


def test_a_prompt_outside_an_image_is_an_error_with_the_images_path(model: Model, tmp_path: Path) -> None:
    path = image_file(tmp_path / "small.png")
    with pytest.raises(OvsegError, match=r"small\.png': .*lies outside the image of 40 x 32") as raised:
        list(model.predict(path, {"box_prompt": [[50, 50, 60, 60]]}))
    assert raised.value.field == "prompts[0].box"


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


def test_the_command_continues_after_bad_files_and_prints_how_many_failed(folder: Path, tmp_path: Path) -> None:
    for name, data in BAD.items():
        image_file(folder / name, data)
    command = [
        sys.executable,
        "-m",
        "ovseg",
        "--pipeline",
        "open_vocabulary_segmentation",
        "--model",
        "SAM-Lite",
        "--prompt",
        "[[4,4,20,20]]",
    ]
    ran = run([*command, "--input", str(folder), "--save_path", str(tmp_path / "out")])
    assert ran.returncode == 1
    assert "5 of 10 images failed" in ran.stderr
    assert [name for name in BAD if repr(str(folder / name)) not in ran.stderr] == []
    assert len(ran.stdout.splitlines()) == 5
    assert (tmp_path / "out" / "cam1" / "0001_res.json").is_file()
    (tmp_path / "none").mkdir()
    ran = run([*command, "--input", str(tmp_path / "none")])
    assert (ran.returncode, "there is no image in" in ran.stderr) == (1, True)


def test_a_result_and_its_model_report_the_engine_and_precision() -> None:
    plain, fast = (create_model("SAM-Lite", device="cpu", use_hpip=use) for use in (False, True))
    named = create_model("SAM-Lite", device="cpu", use_hpip=True, engine="paddle", precision="float32")
    assert (plain.precision, named.engine, named.precision) == ("float32", "paddle", "float32")
    assert fast.precision == create_model("SAM-Lite", device="cpu", precision="auto").precision
    for model in (plain, fast, named):
        [result] = model.predict(SMALL, BOX)
        assert (result.engine, result.precision) == (model.engine, model.precision)

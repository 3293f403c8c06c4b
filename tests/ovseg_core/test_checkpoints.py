"""Checkpoints of every format, written here byte by byte or by the library that defines the format."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.quiet_paddle import paddle
from ovseg_core.sam import checkpoint
from tests.support import sam_weights
from tests.support.torch_files import Tensor, as_torch, torch_zip

ARRAYS = {
    "lin1.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "lin1.bias": np.array([1.5, -2], np.float32),
}


class Linear(paddle.nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.lin1 = paddle.nn.Linear(3, 2)


@pytest.fixture(params=["safetensors", "pth", "pth in model", "pdparams"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "safetensors":
        save_file(ARRAYS, tmp_path / "a.safetensors")
        return tmp_path / "a.safetensors"
    if request.param == "pdparams":
        layer = Linear()
        layer.lin1.weight.set_value(ARRAYS["lin1.weight"].T.copy())
        layer.lin1.bias.set_value(ARRAYS["lin1.bias"])
        paddle.save(layer.state_dict(), str(tmp_path / "a.pdparams"))
        return tmp_path / "a.pdparams"
    return torch_zip(tmp_path / "a.pth", *as_torch(ARRAYS), wrap="model" if "model" in request.param else None)


def test_a_checkpoint_of_every_format_fills_a_network_with_the_same_weights(path: Path) -> None:
    layer = Linear()
    checkpoints.load(layer, path)
    given = np.array([1, 2, 3], np.float32)
    expected = ARRAYS["lin1.weight"] @ given + ARRAYS["lin1.bias"]
    assert np.allclose(layer.lin1(paddle.to_tensor(given)).numpy(), expected)


def test_views_transposed_and_bfloat16_tensors_of_a_torch_file_are_read(tmp_path: Path) -> None:
    numbers = np.arange(12, dtype=np.float32)
    tensors = {
        "view": Tensor("0", "FloatStorage", (2, 3), (3, 1), 6, 12),
        "transposed": Tensor("0", "FloatStorage", (3, 4), (1, 3), 0, 12),
        "half": Tensor("1", "HalfStorage", (12,), (1,), 0, 12),
        "bfloat16": Tensor("2", "BFloat16Storage", (12,), (1,), 0, 12),
        "empty": Tensor("3", "FloatStorage", (0, 4), (4, 1), 0, 0),
    }
    storages = {
        "0": numbers.tobytes(),
        "1": numbers.astype(np.float16).tobytes(),
        "2": (numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes(),
        "3": b"",
    }
    arrays = checkpoints.read(torch_zip(tmp_path / "a.pth", tensors, storages)).arrays
    assert (arrays["view"] == numbers[6:].reshape(2, 3)).all()
    assert (arrays["transposed"] == numbers.reshape(4, 3).T).all()
    assert (arrays["half"] == numbers).all()
    assert (arrays["bfloat16"] == numbers).all()
    assert arrays["empty"].shape == (0, 4)


@pytest.mark.parametrize("suffix", ["pth", "pdparams"])
def test_a_pickle_that_contains_code_is_refused_and_not_run(tmp_path: Path, suffix: str) -> None:
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (ran,)

    evil, path = pickle.dumps({"a": Evil()}), tmp_path / f"evil.{suffix}"
    if suffix == "pth":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", evil)
    else:
        path.write_bytes(evil)
    with pytest.raises(ValueError, match="which a checkpoint may not load"):
        checkpoints.read(path)
    assert not ran.exists()


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("0", "FloatStorage", (5,), (1,), 0, 4),
        Tensor("0", "FloatStorage", (2,), (3,), 1, 4),
        Tensor("0", "FloatStorage", (2,), (1,), -1, 4),
        Tensor("0", "FloatStorage", (4,), (1,), 0, 9),
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path, tensor: Tensor) -> None:
    path = torch_zip(tmp_path / "a.pth", {"a": tensor}, {"0": np.zeros(4, np.float32).tobytes()})
    with pytest.raises(ValueError, match=r"beyond its storage|is truncated"):
        checkpoints.read(path)


def test_a_zip_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"not one of torch\.save"):
        checkpoints.read(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["lin2.weight", "head.weight", "image_encoder.head.scale"])
def test_a_parameter_that_the_network_lacks_is_refused(tmp_path: Path, name: str) -> None:
    save_file({**ARRAYS, name: np.zeros(2, np.float32)}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=f"unknown {name}"):
        checkpoints.load(Linear(), tmp_path / "a.safetensors")


def test_names_of_hugging_face_are_translated_to_those_of_meta(tmp_path: Path) -> None:
    """tests/data/sam_hugging_face_names.txt lists the names of a SamModel's state dict, by transformers 5.13."""
    names = (Path(__file__).parents[1] / "data" / "sam_hugging_face_names.txt").read_text().split()
    save_file({name: np.zeros(1, np.float32) for name in names}, tmp_path / "a.safetensors")
    found = checkpoint.read(tmp_path / "a.safetensors").arrays
    with np.load(sam_weights.REFERENCE) as reference:
        assert sorted(found) == reference["names"].tolist()


def test_unused_arrays_in_a_checkpoint_of_sam_are_ignored(tmp_path: Path) -> None:
    unused = {"pixel_mean": np.zeros((3, 1, 1), np.float32), "image_encoder.head.bias": np.zeros(2, np.float32)}
    save_file({**ARRAYS, **unused}, tmp_path / "a.safetensors")
    assert checkpoint.read(tmp_path / "a.safetensors").arrays.keys() == ARRAYS.keys()

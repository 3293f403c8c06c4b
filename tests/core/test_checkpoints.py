"""Checkpoints of every format, written here byte by byte or by the library whose format it is."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ovseg_core import checkpoints
from ovseg_core.checkpoints import hugging_face
from ovseg_core.quiet_paddle import paddle
from tests import sam_weights

ARRAYS = {
    "lin1.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "lin1.bias": np.array([1.5, -2], np.float32),
    "pixel_mean": np.zeros((3, 1, 1), np.float32),
}


class Tensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(self, key: str, kind: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, count: int):
        self.key, self.kind, self.shape, self.strides, self.offset, self.count = (
            key,
            kind,
            shape,
            strides,
            offset,
            count,
        )


def torch_zip(path: Path, tensors: dict[str, Tensor], storages: dict[str, bytes], wrap: str | None = None) -> Path:
    """A file as torch.save writes it, without torch: names of globals and persistent ids, spelled out."""

    class Global:
        def __init__(self, module: str, name: str) -> None:
            self.module, self.name = module, name

    class Pickler(pickle._Pickler):  # type: ignore[name-defined]  # the one in Python can be extended
        def save_global_named(self, thing: Global) -> None:
            self.write(pickle.GLOBAL + f"{thing.module}\n{thing.name}\n".encode())

        def save(self, thing: object, save_persistent_id: bool = True) -> None:
            if isinstance(thing, Global):
                self.save_global_named(thing)
            elif isinstance(thing, Tensor):
                self.save(Global("torch._utils", "_rebuild_tensor_v2"))
                self.write(pickle.MARK)
                self.write(pickle.MARK)
                for part in ("storage", Global("torch", thing.kind), thing.key, "cpu", thing.count):
                    self.save(part)
                self.write(pickle.TUPLE + pickle.BINPERSID)
                for part in (thing.offset, thing.shape, thing.strides, False, OrderedDict()):
                    self.save(part)
                self.write(pickle.TUPLE + pickle.REDUCE)
            else:
                super().save(thing, save_persistent_id)

    out = io.BytesIO()
    Pickler(out, protocol=2).dump({wrap: tensors} if wrap else tensors)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", out.getvalue())
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def as_torch(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Tensor], dict[str, bytes]]:
    tensors, storages = {}, {}
    for i, (name, array) in enumerate(arrays.items()):
        strides = tuple(s // array.itemsize for s in array.strides)
        tensors[name] = Tensor(str(i), "FloatStorage", array.shape, strides, 0, array.size)
        storages[str(i)] = array.tobytes()
    return tensors, storages


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


def test_every_format_fills_the_same_network(path: Path) -> None:
    layer = Linear()
    checkpoints.load(layer, path)
    given = np.array([1, 2, 3], np.float32)
    wanted = ARRAYS["lin1.weight"] @ given + ARRAYS["lin1.bias"]
    assert np.allclose(layer.lin1(paddle.to_tensor(given)).numpy(), wanted)


def test_views_transposes_and_bfloat16_of_a_torch_file_are_read_as_they_are(tmp_path: Path) -> None:
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
def test_a_pickle_that_asks_for_code_is_refused_and_nothing_runs(tmp_path: Path, suffix: str) -> None:
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
    with pytest.raises(ValueError, match="is not loaded from a file"):
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
    with pytest.raises(ValueError, match=r"beyond its storage|is cut"):
        checkpoints.read(path)


def test_a_zip_of_something_else_is_no_checkpoint(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"not one of torch\.save"):
        checkpoints.read(tmp_path / "a.pth")


def test_names_of_hugging_face_become_those_of_meta() -> None:
    """tests/data/sam_hugging_face_names.txt lists the names of a SamModel's state dict, by transformers 5.13."""
    names = (Path(__file__).parents[1] / "data" / "sam_hugging_face_names.txt").read_text().split()
    found = hugging_face.renamed({name: np.zeros(1, np.float32) for name in names})
    with np.load(sam_weights.REFERENCE) as reference:
        assert sorted(found) == reference["names"].tolist()

"""Files in torch.save's format, written without torch."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


class Tensor:
    """An object that is pickled as PyTorch's tensors are."""

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
    """Write a file in torch.save's format, without torch: the names of globals and persistent ids are written out."""

    class Global:
        def __init__(self, module: str, name: str) -> None:
            self.module, self.name = module, name

    class Pickler(pickle._Pickler):  # type: ignore[name-defined]  # only the pickler in Python can be subclassed for this
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
    """Return tensors and storages of float32 and int64 arrays."""
    tensors, storages = {}, {}
    for i, (name, array) in enumerate(arrays.items()):
        strides = tuple(s // array.itemsize for s in array.strides)
        tensors[name] = Tensor(str(i), STORAGES[array.dtype.name], array.shape, strides, 0, array.size)
        storages[str(i)] = array.tobytes()
    return tensors, storages

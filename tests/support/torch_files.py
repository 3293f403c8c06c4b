"""Files in torch.save's format, written without torch."""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}


@dataclass(frozen=True)
class Tensor:
    """An object that is pickled as PyTorch's tensors are."""

    key: str
    kind: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    count: int  # of the numbers in its storage


@dataclass(frozen=True)
class Storage:
    """An object that is pickled as the storage of a tensor is: as a persistent id."""

    of: Tensor


def torch_zip(path: Path, tensors: dict[str, Tensor], storages: dict[str, bytes], wrap: str | None = None) -> Path:
    """Write a file in torch.save's format, without torch: the pickle names the classes of empty modules."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    rebuild = _put(utils, "_rebuild_tensor_v2")
    storage_of = {kind: _put(torch, kind) for kind in {tensor.kind for tensor in tensors.values()}}

    class Pickler(pickle.Pickler):
        def reducer_override(self, thing: object) -> Any:
            if isinstance(thing, Tensor):
                return rebuild, (Storage(thing), thing.offset, thing.shape, thing.strides, False, OrderedDict())
            return NotImplemented

        def persistent_id(self, thing: object) -> Any:
            if isinstance(thing, Storage):
                return "storage", storage_of[thing.of.kind], thing.of.key, "cpu", thing.of.count
            return None

    out = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for module in (torch, utils):
            patch.setitem(sys.modules, module.__name__, module)
        Pickler(out, protocol=2).dump({wrap: tensors} if wrap else tensors)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", out.getvalue())
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
    return path


def _put(module: ModuleType, name: str) -> type:
    """Put an empty class into a module, and return it."""
    made = type(name, (), {"__module__": module.__name__})
    setattr(module, name, made)
    return made


def as_torch(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Tensor], dict[str, bytes]]:
    """Return tensors and storages of float32 and int64 arrays."""
    tensors, storages = {}, {}
    for i, (name, array) in enumerate(arrays.items()):
        strides = tuple(s // array.itemsize for s in array.strides)
        tensors[name] = Tensor(str(i), STORAGES[array.dtype.name], array.shape, strides, 0, array.size)
        storages[str(i)] = array.tobytes()
    return tensors, storages

"""Read PyTorch's files (`.pth`, `.pt`; torch.save's zip format since version 1.6) without PyTorch.

A zip archive holds `NAME/data.pkl`, a pickle whose tensors refer to storages by key, and `NAME/data/KEY`, the bytes of
the storages. They are not compressed, so they are mapped into memory and not copied
(https://pytorch.org/docs/stable/notes/serialization.html).
"""

from __future__ import annotations

import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ovseg_core.checkpoints.unpickling import Forbidden, Unpickler

# the local header of a zip entry: its last two fields are the lengths of name and extra
LOCAL_HEADER = struct.Struct("<26xHH")


@dataclass(frozen=True)
class Storage:
    """The dtype of a torch storage. NumPy has no bfloat16, so it is read as the upper 16 bits of a float32."""

    dtype: np.dtype[Any]
    is_bfloat16: bool = False


STORAGES = {
    "FloatStorage": Storage(np.dtype("<f4")),
    "DoubleStorage": Storage(np.dtype("<f8")),
    "HalfStorage": Storage(np.dtype("<f2")),
    "BFloat16Storage": Storage(np.dtype("<u2"), is_bfloat16=True),
    "LongStorage": Storage(np.dtype("<i8")),
    "IntStorage": Storage(np.dtype("<i4")),
    "ByteStorage": Storage(np.dtype("u1")),
    "BoolStorage": Storage(np.dtype("?")),
}


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict, or of the state dict in "model" or "state_dict" of a training checkpoint.

    Raises ValueError if the file is not such a file, or names anything other than tensors.
    """
    with zipfile.ZipFile(path) as archive:
        try:
            [entry] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        except ValueError:
            raise ValueError(f"{path.name} is a zip archive, but not one of torch.save") from None
        with archive.open(entry) as file:
            loaded = _Unpickler(file, path, archive, entry.removesuffix("data.pkl")).load()
    for key in ("model", "state_dict"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} contains a {type(loaded).__name__}, not a state dict")
    return {name: value for name, value in loaded.items() if isinstance(value, np.ndarray)}


class _Unpickler(Unpickler):
    def __init__(self, file: Any, path: Path, archive: zipfile.ZipFile, prefix: str) -> None:
        allowed: Mapping[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, requires_grad, hooks: data,
            **{("torch", name): storage for name, storage in STORAGES.items()},
        }
        super().__init__(file, allowed)
        self._path, self._archive, self._prefix = path, archive, prefix

    def persistent_load(self, reference: Any) -> tuple[Storage, np.ndarray]:
        kind, storage, key, _, count = reference
        if kind != "storage" or not isinstance(storage, Storage):
            raise Forbidden(f"the checkpoint refers to {kind!r}, not to a storage")
        entry = self._archive.getinfo(f"{self._prefix}data/{key}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{self._path.name} is compressed; torch.save does not do that")
        with self._path.open("rb") as file:
            file.seek(entry.header_offset)
            name_length, extra_length = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        start = entry.header_offset + LOCAL_HEADER.size + name_length + extra_length
        if count == 0:
            return storage, np.zeros(0, storage.dtype)
        if count * storage.dtype.itemsize > entry.file_size:
            raise ValueError(f"{self._path.name} is truncated: storage {key} has {entry.file_size} bytes")
        return storage, np.memmap(self._path, storage.dtype, "r", start, (count,))


def _tensor(
    stored: tuple[Storage, np.ndarray],
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *rest: object,  # requires_grad, hooks, metadata
) -> np.ndarray:
    storage, numbers = stored
    reach = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
    if offset < 0 or min(strides, default=0) < 0 or (0 not in shape and reach > len(numbers)):
        raise ValueError("a tensor of the checkpoint extends beyond its storage")
    step = numbers.dtype.itemsize
    array = np.lib.stride_tricks.as_strided(numbers[offset:], shape, [s * step for s in strides], writeable=False)
    if storage.is_bfloat16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array

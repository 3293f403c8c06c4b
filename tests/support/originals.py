"""Make the original implementations importable without torchvision and timm, which need a torch of their own.

The few functions that they really use are replaced here: a resize, by Pillow's, and an initialiser.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from PIL import Image


@contextmanager
def importable() -> Iterator[None]:
    """Provide the replacements while the block runs; after it, imports find the installed packages again, or none."""
    from torch import nn

    with mock.patch.dict(sys.modules):
        boxes, functional = _modules("torchvision", "ops.boxes", "transforms.functional")
        boxes.batched_nms = boxes.box_area = None
        functional.to_pil_image = Image.fromarray
        functional.resize = lambda picture, hw: picture.resize(hw[::-1], Image.Resampling.BILINEAR)
        layers, registry = _modules("timm", "models.layers", "models.registry")
        layers.DropPath = nn.Identity
        layers.to_2tuple = lambda side: (side, side)
        layers.trunc_normal_ = nn.init.trunc_normal_
        registry.register_model = lambda build: build
        yield


def _modules(package: str, *names: str) -> list[Any]:
    """Put empty modules in the place of the package's modules, and return them."""
    found: dict[str, Any] = {}
    for name in names:
        parts = f"{package}.{name}".split(".")
        for i in range(1, len(parts) + 1):
            path = ".".join(parts[:i])
            found[path] = sys.modules[path] = found.get(path) or types.ModuleType(path)
    return [found[f"{package}.{name}"] for name in names]

"""Names in storage: of a result's files, under the prefix of the attempt that made them, and of embeddings."""

from __future__ import annotations

from ovseg_core import longest_sides


def result(prefix: str) -> str:
    return f"{prefix}result.json"


def overlay(prefix: str, image_hw: tuple[int, int]) -> str:
    """A JPEG, or a PNG of a picture that has a side too long for JPEG."""
    return overlay_jpeg(prefix) if max(image_hw) <= longest_sides.JPEG else f"{prefix}overlay.png"


def overlay_jpeg(prefix: str) -> str:
    """What PaddleX's route answers with."""
    return f"{prefix}overlay.jpg"


def mask(prefix: str, index: int) -> str:
    return f"{prefix}masks/{index:04d}.png"


EMBEDDINGS = "embeddings/"


def embedding(key: str) -> str:
    return f"{EMBEDDINGS}{key}"

"""The row of PaddleX's inference models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core.family import Family
from ovseg_core.paddle_inference.folder import INDEX_FILE
from ovseg_core.sam.family import PRESET

if TYPE_CHECKING:
    from ovseg_core.network import Network

NAME = "paddlex"  # as users write it in their registry of models: an inference model of PaddleX's


def load(name: str, weights: Path, device: str, engine: str, precision: str, canvas_size: int) -> Network:
    """`weights` is the folder, which says itself how large its canvas is."""
    from ovseg_core.paddle_inference.network import InferenceModel

    return InferenceModel(weights, device)


# Its one network encodes the image again with every batch.
NETWORKS = {NAME: Family(replace(PRESET, prompts_per_batch=64), load, index_file=INDEX_FILE)}

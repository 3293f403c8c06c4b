"""The row of PaddleX's inference models in the table of networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core.family import Family
from ovseg_core.paddle_inference.folder import INDEX_FILE, PROMPT_TYPES, InferenceFolder
from ovseg_core.sam.family import PRESET

if TYPE_CHECKING:
    from ovseg_core.network import Network

NAME = "paddlex"  # users write it in their registry of models, for an inference model of PaddleX


def load(name: str, weights: Path, device: str, engine: str, precision: str) -> Network:
    """Load the model in the folder `weights`; see `networks.load`."""
    from ovseg_core.paddle_inference.network import InferenceModel

    return InferenceModel(weights, device)


EITHER = frozenset(PROMPT_TYPES.values())


def takes_with(weights: Path) -> frozenset[str]:
    """Return the one kind of prompt that the model in this folder was exported for.

    For a folder that cannot be read these are both kinds; loading it will raise the error.
    """
    try:
        return frozenset({PROMPT_TYPES[InferenceFolder.read(weights).model_name]})
    except (ValueError, OSError):
        return EITHER


NETWORKS = {
    NAME: Family(
        replace(PRESET, prompts_per_batch=64),  # the network encodes the image again with every batch
        load,
        index_file=INDEX_FILE,
        takes=EITHER,
        takes_with=takes_with,
        image_embedding=None,
    )
}

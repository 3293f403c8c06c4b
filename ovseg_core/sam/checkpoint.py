"""Public checkpoints of SAM and MobileSAM, by the names that our layers have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ovseg_core import checkpoints
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.sam import hugging_face

# What lies beside the weights and is not read: constants of preprocessing, and MobileSAM's head of the time when its
# encoder was a classifier
UNUSED = frozenset(
    {
        "pixel_mean",
        "pixel_std",
        "image_encoder.norm_head.weight",
        "image_encoder.norm_head.bias",
        "image_encoder.head.weight",
        "image_encoder.head.bias",
    }
)
UNUSED_ENDING = ".attention_bias_idxs"  # of every attention layer: a table that follows from the size of the window


def read(path: Path) -> Checkpoint:
    """The weights in a file with Meta's names or Hugging Face `transformers`' own. Raises as `checkpoints.read`."""
    found = checkpoints.read(path)
    arrays = hugging_face.renamed(found.arrays) if hugging_face.is_one(found.arrays) else found.arrays
    used = {name: array for name, array in arrays.items() if name not in UNUSED and not name.endswith(UNUSED_ENDING)}
    return replace(found, arrays=used)

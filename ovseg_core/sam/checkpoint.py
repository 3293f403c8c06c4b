"""Read public checkpoints of SAM and MobileSAM, with the parameter names of our layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ovseg_core import checkpoints
from ovseg_core.checkpoints import Checkpoint
from ovseg_core.checkpoints.renaming import Rule, renamed
from ovseg_core.sam import hugging_face

# Arrays of the public checkpoints that we do not use: constants of the preprocessing, and the classifier head from the
# time when MobileSAM's encoder was a classifier.
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
UNUSED_ENDING = ".attention_bias_idxs"  # in every attention layer: a table that the size of the window determines


def read(path: Path, rules: Sequence[Rule] = hugging_face.RULES) -> Checkpoint:
    """Read the weights from a file with Meta's names or those of Hugging Face `transformers`, which `rules` translate.

    Raises what `checkpoints.read` raises.
    """
    found = checkpoints.read(path)
    arrays = renamed(found.arrays, rules) if hugging_face.has_its_names(found.arrays) else found.arrays
    used = {name: array for name, array in arrays.items() if name not in UNUSED and not name.endswith(UNUSED_ENDING)}
    return replace(found, arrays=used)

"""Recognises the model whose weights a file has, by the names and sizes of its arrays."""

from __future__ import annotations

import re
from pathlib import Path

from ovseg_core import array_shapes, checkpoints, networks
from ovseg_core.array_shapes import Shapes
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import hugging_face, idea
from ovseg_core.models import registry
from ovseg_core.paddle_inference.folder import DETECTORS, INDEX_FILE, PROMPT_TYPES, InferenceFolder

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".pdparams")
IN_FOLDERS = ("model.safetensors", "pytorch_model.bin")  # the file of weights in a folder that transformers wrote

SWIN = (
    r"(?:model\.backbone\.conv_encoder\.model\.embeddings\.patch_embeddings\.projection"
    r"|backbone\.0\.patch_embed\.proj)\.weight"
)
DETECTOR = "|".join(map(re.escape, (hugging_face.MARK, idea.MARK)))
MM = r"model\.encoder_output_class_embed\.bias"
DINO_SIZES = {96: "grounding_dino_t", 128: "grounding_dino_b"}  # by channels


def recognised(path: Path) -> tuple[str, Path]:
    """Return the name of the model or detector, and the file of its weights.

    Args:
        path: a file of weights; a folder that transformers wrote; or a folder with one of PaddleX's inference models,
            which is its own weights.

    Raises:
        FileNotFoundError: there is nothing at the path.
        OvsegError: `unknown_model` if the folder has no weights, or no network of this project has such arrays.
        ValueError: the file is damaged, or is no checkpoint.
    """
    if not path.exists():
        raise FileNotFoundError(f"there are no weights at {path}")
    if path.is_dir() and (path / INDEX_FILE).is_file():
        return InferenceFolder.read(path, (*PROMPT_TYPES, *DETECTORS)).model_name, path
    file = path
    if path.is_dir():
        found = next((path / name for name in IN_FOLDERS if (path / name).is_file()), None)
        if found is None:
            message = f"{path} has none of {', '.join((*IN_FOLDERS, INDEX_FILE))}: name the file of weights"
            raise OvsegError("unknown_model", message, "model")
        file = found
    network = network_of({name: array.shape for name, array in checkpoints.read(file).arrays.items()})
    known = {**registry.all_detectors(), **registry.all_models()}
    name = next((name for name, spec in known.items() if spec.network == network), None)
    if name is None:
        advice = "name its network in a registry of your own (OVSEG_MODELS_YAML, docs/models.md)"
        raise OvsegError("unknown_model", f"the arrays of {file} are not those of a known network; {advice}", "model")
    return name, file


def network_of(shapes: Shapes) -> str | None:
    """Return the network of `networks.NETWORKS` or `detectors.DETECTORS` whose arrays these are, or None."""
    if array_shapes.first_side(DETECTOR, shapes):
        is_mm = array_shapes.first_side(MM, shapes) > 0
        return "mm_grounding_dino_t" if is_mm else DINO_SIZES.get(array_shapes.first_side(SWIN, shapes))
    recognisers = dict.fromkeys(family.network_of for family in networks.NETWORKS.values() if family.network_of)
    return next((name for recognise in recognisers if (name := recognise(shapes))), None)

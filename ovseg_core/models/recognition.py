"""Recognises the model whose weights a file has, by the names and sizes of its arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ovseg_core import checkpoints
from ovseg_core.errors import OvsegError
from ovseg_core.grounding_dino import hugging_face, idea
from ovseg_core.models import registry
from ovseg_core.paddle_inference.folder import INDEX_FILE, InferenceFolder

Shapes = Mapping[str, tuple[int, ...]]  # of the arrays, by their names in the file

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".pdparams")
IN_FOLDERS = ("model.safetensors", "pytorch_model.bin")  # the file of weights in a folder that transformers wrote

# The arrays that show the size, with the names of the authors and those of Hugging Face
VIT = r"(?:image_encoder\.patch_embed\.proj|vision_encoder\.patch_embed\.projection)\.weight"
TINY_VIT = r"image_encoder\.patch_embed\.seq\.0\.c\.weight"
HIERA = r"(?:image_encoder\.trunk\.patch_embed\.proj|vision_encoder\.backbone\.patch_embed\.projection)\.weight"
HIERA_BLOCKS = r"(?:image_encoder\.trunk|vision_encoder\.backbone)\.blocks\.(\d+)\..+"
EFFICIENT_VIT_BLOCKS = r"image_encoder\.neck\.middle\.op_list\.(\d+)\..+"
SWIN = (
    r"(?:model\.backbone\.conv_encoder\.model\.embeddings\.patch_embeddings\.projection"
    r"|backbone\.0\.patch_embed\.proj)\.weight"
)
# The arrays that show the family
LITE = r"image_encoder\.context\.weight"
HQ = r"mask_decoder\.(?:hf|hq)_token\.weight"
DETECTOR = "|".join(map(re.escape, (hugging_face.MARK, idea.MARK)))
MM = r"model\.encoder_output_class_embed\.bias"

VIT_SIZES = {768: "b", 1024: "l", 1280: "h"}  # by channels
HIERA_SIZES = {(96, 12): "t", (96, 16): "s", (112, 24): "b+", (144, 48): "l"}  # by channels and blocks
EFFICIENT_VIT_SIZES = {4: "l0", 8: "l1", 6: "xl0"}  # by blocks of the neck
EFFICIENT_VIT_OF_12 = {5: "l2", 6: "xl1"}  # by stages, if the neck has 12 blocks
EFFICIENT_VIT_STAGES = r"image_encoder\.backbone\.stages\.(\d+)\..+"


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
        return InferenceFolder.read(path).model_name, path
    file = path
    if path.is_dir():
        found = next((path / name for name in IN_FOLDERS if (path / name).is_file()), None)
        if found is None:
            message = f"{path} has neither {', '.join((*IN_FOLDERS, INDEX_FILE))}: name the file of weights"
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
    if _channels(DETECTOR, shapes):
        if _channels(MM, shapes):
            return "mm_grounding_dino_t"
        return {96: "grounding_dino_t", 128: "grounding_dino_b"}.get(_channels(SWIN, shapes))
    if _channels(LITE, shapes):
        return "sam_lite"
    is_hq = _channels(HQ, shapes) > 0
    if _channels(TINY_VIT, shapes):
        return "sam_hq_light" if is_hq else "mobile_sam"
    if size := HIERA_SIZES.get((_channels(HIERA, shapes), _count(HIERA_BLOCKS, shapes))):
        return f"sam2_{size}"
    if size := VIT_SIZES.get(_channels(VIT, shapes)):
        return f"sam_hq_{size}" if is_hq else f"sam_{size}"
    blocks = _count(EFFICIENT_VIT_BLOCKS, shapes)
    sizes, number = EFFICIENT_VIT_SIZES, blocks
    if blocks == 12:
        sizes, number = EFFICIENT_VIT_OF_12, _count(EFFICIENT_VIT_STAGES, shapes)
    return f"efficientvit_sam_{sizes[number]}" if number in sizes else None


def _channels(pattern: str, shapes: Shapes) -> int:
    """Return the first side of the array whose name matches the pattern, or 0 if there is none."""
    return next((shape[0] for name, shape in shapes.items() if re.fullmatch(pattern, name)), 0)


def _count(pattern: str, shapes: Shapes) -> int:
    """Return how many numbers the names that match the pattern have, such as those of blocks."""
    return len({match[1] for name in shapes if (match := re.fullmatch(pattern, name))})

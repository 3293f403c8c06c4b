"""Image encoders in int8, for CPUs that multiply bytes in one instruction (VNNI).

`quantization` makes an encoder once, and stores it as an OpenVINO model next to the weights that it was made from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ovseg_core import digests
from ovseg_core.engines import cpu_flags

if TYPE_CHECKING:
    import openvino as ov

MADE_FROM = ["ovseg", "weights"]  # where the model stores the digest of the weights


def path(weights: Path) -> Path:
    """Return the path of the graph of the int8 encoder of these weights."""
    return weights.with_suffix(".int8.xml")


def files(weights: Path) -> tuple[Path, Path]:
    """Return the paths of the encoder's numbers and of its graph, which refers to them."""
    return path(weights).with_suffix(".bin"), path(weights)


def digest(weights: Path) -> str:
    """Return a digest of the encoder.

    It includes the file of numbers: encoders made from the same weights with other photos have the same graph.
    """
    return " ".join(map(digests.of_weights, files(weights)))


def move(weights: Path, to: Path) -> None:
    """Move the encoder of one weights file to another.

    The numbers are moved first: if the graph exists, the numbers do.
    """
    path(to).unlink(missing_ok=True)
    for old, new in zip(files(weights), files(to), strict=True):
        old.rename(new)


def is_supported() -> bool:
    """True if this CPU has the instructions."""
    return cpu_flags.has_any(cpu_flags.INT8)


def save(model: ov.Model, weights: Path) -> None:
    import openvino as ov

    model.set_rt_info(digests.of_weights(weights), MADE_FROM)
    ov.save_model(model, path(weights), compress_to_fp16=False)


def read(core: ov.Core, weights: Path, in_float32: ov.Model) -> ov.Model:
    """Read the int8 encoder of these weights.

    Raises ValueError if it was made from other weights, or by a version of ovseg whose encoders have outputs of other
    shapes.
    """
    model = core.read_model(path(weights))
    if not model.has_rt_info(MADE_FROM) or model.get_rt_info(MADE_FROM).value != digests.of_weights(weights):
        raise ValueError(f"{path(weights)} was not made from {weights.name} as it is now; make it again")
    if _shapes(model) != _shapes(in_float32):
        raise ValueError(f"{path(weights)} was made by another version of ovseg; make it again")
    return model


def _shapes(model: ov.Model) -> list[ov.PartialShape]:
    return [output.partial_shape for output in model.outputs]

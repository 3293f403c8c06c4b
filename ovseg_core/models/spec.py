"""What it takes to run a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ovseg_core.canvas import RGB, Resize

BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Preset:
    """What all models of a network share.

    `canvas_size` is the side of the square input; pixels are normalised as (v - mean) / std. A mask is where logits
    exceed `box_cut` (a prompt with a box) or `point_cut`; with `clip_to_box` it ends at the box. `by_canvas` says that
    logits cover the whole canvas and are resized by way of it, as SAM does. `prompts_per_batch` are decoded in one go;
    that bounds memory, and on a CPU larger batches are no faster. Holes of at most `holes_filled` of a mask are filled,
    but not where a click said "not here".
    """

    canvas_size: int
    mean: RGB
    std: RGB
    resize: Resize = "area"
    by_canvas: bool = False
    prompts_per_batch: int = 16
    box_cut: float = 0.0
    point_cut: float = 0.0
    clip_to_box: bool = False
    holes_filled: float = 0.0


SAM = Preset(
    1024,
    (123.675, 116.28, 103.53),
    (58.395, 57.12, 57.375),
    resize="pillow",
    by_canvas=True,
    # What is computed of 8 mostly stays in the cache: on CPUs 5 % less time a prompt than with 16.
    prompts_per_batch=8,
)
PRESETS: dict[str, Preset] = {
    # Trained on canvases of 512; 640 shows small things better. The cut was chosen on training photos.
    "sam_lite": Preset(640, (127.0,) * 3, (128.0,) * 3, box_cut=-0.3, clip_to_box=True, holes_filled=0.2),
    "mobile_sam": SAM,
    "sam_b": SAM,
    "sam_l": SAM,
    "sam_h": SAM,
    # Its one network encodes the image again with every batch.
    "paddlex": replace(SAM, prompts_per_batch=64),
}


@dataclass(frozen=True)
class ModelSpec:
    """A model: a network and its weights.

    `weights` is the path of the file, or of the folder of one of PaddleX's inference models, there or not. `falls_to`
    names a model that stands in where this one is not installed: the same weights in another form. `size` in bytes
    and `sha256` are None where nobody has published them; `urls` is empty for a model that is bundled or is yours to
    put there.
    """

    name: str
    network: str
    weights: Path
    licence: str
    urls: tuple[str, ...] = ()
    falls_to: str | None = None
    size: int | None = None
    sha256: str | None = None

    @property
    def preset(self) -> Preset:
        return PRESETS[self.network]

    @property
    def is_bundled(self) -> bool:
        return self.weights.parent == BUNDLED

    @property
    def is_installed(self) -> bool:
        return (self.weights / "inference.yml").is_file() if self.is_folder else self.weights.is_file()

    @property
    def is_folder(self) -> bool:
        return self.network == "paddlex"

"""What it takes to run a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RGB = tuple[float, float, float]

BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Preset:
    """What all models of a network share.

    `canvas_size` is the side of the square input; pixels are normalised as (v - mean) / std. A mask is where logits
    exceed `box_cut` (a prompt with a box) or `point_cut`; with `clip_to_box` it ends at the box.
    """

    canvas_size: int
    mean: RGB
    std: RGB
    box_cut: float = 0.0
    point_cut: float = 0.0
    clip_to_box: bool = False


SAM = Preset(canvas_size=1024, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
PRESETS: dict[str, Preset] = {
    # Trained on canvases of 512; 640 shows small things better. The cut was chosen on training photos.
    "sam_lite": Preset(canvas_size=640, mean=(127.0,) * 3, std=(128.0,) * 3, box_cut=-0.3, clip_to_box=True),
    "mobile_sam": SAM,
    "sam_b": SAM,
    "sam_l": SAM,
    "sam_h": SAM,
}


@dataclass(frozen=True)
class ModelSpec:
    """A model: a network and its weights.

    `weights` is the path of the file, there or not; `size` in bytes and `sha256` are None where nobody has published
    them; `urls` is empty for a model that is bundled or is yours to put there.
    """

    name: str
    network: str
    weights: Path
    licence: str
    urls: tuple[str, ...] = ()
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
        return self.weights.is_file()

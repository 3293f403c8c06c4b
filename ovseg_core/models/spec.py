"""The description of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ovseg_core.family import Family, Preset
from ovseg_core.networks import NETWORKS

BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class ModelSpec:
    """A model: a network, by its name in `networks.NETWORKS`, and its weights.

    `weights` is the path of the file, or of the folder of a PaddleX inference model, installed or not. `falls_to` names
    a model that is used if this one is not installed: the same weights in another form. `size`, in bytes, and `sha256`
    are None if no one has published them. `urls` is empty if the model is bundled, or if its user must install the
    file.
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
    def family(self) -> Family:
        return NETWORKS[self.network]

    @property
    def preset(self) -> Preset:
        return self.family.preset

    @property
    def is_bundled(self) -> bool:
        return self.weights.parent == BUNDLED

    @property
    def is_installed(self) -> bool:
        index_file = self.family.index_file
        return (self.weights if index_file is None else self.weights / index_file).is_file()

    @property
    def is_folder(self) -> bool:
        return self.family.index_file is not None

"""The description of weights that are published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BUNDLED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Published:
    """Weights under a name, and the network that they are for.

    Attributes:
        name: the name in the registry.
        network: the name of the network.
        weights: the path of the file, or of the folder of a PaddleX inference model, installed or not.
        licence: of the weights.
        urls: addresses of the file; empty if the weights are bundled, or if their user must install the file.
        size: in bytes; None if no one has published it.
        sha256: None if no one has published it.
        also: the names of the same weights in other libraries.
    """

    name: str
    network: str
    weights: Path
    licence: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    also: tuple[str, ...] = ()

    @property
    def index_file(self) -> str | None:
        """If the weights are a folder: the file that every such folder contains."""
        return None

    @property
    def is_bundled(self) -> bool:
        return self.weights.parent == BUNDLED

    @property
    def is_installed(self) -> bool:
        return (self.weights if self.index_file is None else self.weights / self.index_file).is_file()

    @property
    def is_folder(self) -> bool:
        return self.index_file is not None

    @property
    def installed_bytes(self) -> int | None:
        """The size of the weights on this machine; None if they are not installed."""
        if not self.is_installed:
            return None
        files = [file for file in self.weights.rglob("*") if file.is_file()] if self.is_folder else [self.weights]
        try:
            return sum(file.stat().st_size for file in files)
        except FileNotFoundError:  # they were removed just now
            return None

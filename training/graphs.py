"""The graphs that `ovseg_core` ships of SAM-Lite. They follow from its layers alone and fit every checkpoint."""

from __future__ import annotations

from pathlib import Path

from ovseg_core.engines import shipped
from ovseg_core.lite.parts import LiteParts


def write(to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    parts = LiteParts()
    parts.eval()
    shipped.write(parts, to)
